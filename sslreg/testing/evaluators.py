"""The checks of evaluators; see `sslreg.Evaluator`."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from sslreg.assembly import SampleDataset
from sslreg.contracts import Evaluator, PatchEvaluator
from sslreg.evaluation import EvaluationImages, FeatureExtractor
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.tiny_components import (
    WIDTH,
    make_embeddings,
    make_labeled_patches,
    make_pictures,
    make_segmented_images,
)
from sslreg.views import Collate, ViewPlan


def make_run() -> FeatureExtractor:
    """Return the run for an evaluator under test. Its 32 test samples are pictures, its features averages of them."""
    collate, samples = Collate([ViewPlan([])]), SampleDataset(make_pictures(32, 16, 16))
    return FeatureExtractor(
        collate, _average_parts, torch.device("cpu"), workers=0, images=EvaluationImages(samples, collate)
    )


def _average_parts(images: Tensor) -> Tensor:
    """Return the mean levels (N, 8) of eight parts of images (N, C, H, W)."""
    return images.reshape(len(images), WIDTH, -1).mean(dim=2)


def evaluate(evaluator: Evaluator) -> dict[str, float]:
    """Run an evaluator on embeddings, or on patches if it evaluates these."""
    if isinstance(evaluator, PatchEvaluator):
        return evaluator.evaluate_patches(make_labeled_patches(), iter(make_segmented_images()), make_run())
    return evaluator.evaluate(make_embeddings(64), make_embeddings(32, seed=1), make_run())


@check("evaluator")
def returns_finite_metrics(case: Case) -> None:
    metrics = evaluate(case.build())
    assert metrics
    for name, value in metrics.items():
        assert f"{case.info.name}_{name}".isidentifier(), f"{name!r}: metrics are written as <name>_<metric>"
        assert isinstance(value, float)
        assert math.isfinite(value), f"{name} is {value}"


@check("evaluator")
def is_deterministic(case: Case) -> None:
    first, second = (evaluate(case.build()) for _ in range(2))
    assert first == second


@check("evaluator")
def does_not_change_the_embeddings(case: Case) -> None:
    evaluator = case.build()
    if isinstance(evaluator, PatchEvaluator):
        patches, images = make_labeled_patches(), make_segmented_images()
        evaluator.evaluate_patches(patches, iter(images), make_run())
        assert torch.equal(patches.features, make_labeled_patches().features)
        assert torch.equal(patches.labels, make_labeled_patches().labels)
        for used, fresh in zip(images, make_segmented_images(), strict=True):
            assert torch.equal(used.features, fresh.features)
            assert torch.equal(used.masks, fresh.masks)
        return
    reference, test = make_embeddings(64), make_embeddings(32, seed=1)
    evaluator.evaluate(reference, test, make_run())
    assert torch.equal(reference.features, make_embeddings(64).features)
    assert torch.equal(test.features, make_embeddings(32, seed=1).features)


@check("evaluator")
def declares_whether_it_needs_targets(case: Case) -> None:
    evaluator = case.build()
    if not evaluator.needs_targets and not isinstance(evaluator, PatchEvaluator):
        unlabeled = [
            replace(embeddings, targets=None) for embeddings in (make_embeddings(64), make_embeddings(32, seed=1))
        ]
        assert evaluator.evaluate(*unlabeled, make_run())


@check("evaluator")
def evaluates_label_sets(case: Case) -> None:
    evaluator = case.build()
    if not evaluator.takes_label_sets:
        return
    sets = []
    for embeddings in (make_embeddings(64), make_embeddings(32, seed=1)):
        assert embeddings.targets is not None
        labels = torch.stack([embeddings.targets == 0, embeddings.targets < 2, embeddings.targets == 3], dim=1)
        sets.append(replace(embeddings, targets=labels))
    metrics = evaluator.evaluate(*sets, make_run())
    assert metrics
    assert all(math.isfinite(value) for value in metrics.values())
