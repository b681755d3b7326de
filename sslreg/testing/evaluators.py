"""The checks of evaluators; see `sslreg.Evaluator`."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from sslreg.assembly import SampleDataset
from sslreg.contracts import BackboneEvaluator, Embeddings, Evaluator, PatchEvaluator
from sslreg.evaluation import EvaluationImages, FeatureExtractor
from sslreg.evaluation.backbone_training import BackboneTraining
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.tiny_components import (
    IMAGE_SIZE,
    WIDTH,
    TinyBackbone,
    make_embeddings,
    make_labeled_patches,
    make_pictures,
    make_segmented_images,
)
from sslreg.views import Collate, ViewPlan


@dataclass(frozen=True)
class RecordingTraining(BackboneTraining):
    """A `BackboneTraining` that keeps states in memory.

    Attributes:
        states: the saved states; the last one is loaded.
    """

    states: list[dict[str, Any]] = field(default_factory=list)

    def save_state(self, state: dict[str, Any]) -> None:
        self.states.append(copy.deepcopy(state))

    def load_state(self) -> dict[str, Any] | None:
        return copy.deepcopy(self.states[-1]) if self.states else None


def make_sets(label_sets: bool = False) -> tuple[Embeddings, Embeddings]:
    """Return a reference set and a test set of samples in four classes, or with three labels each."""
    sets = make_embeddings(64), make_embeddings(32, seed=1)
    return (_with_label_sets(sets[0]), _with_label_sets(sets[1])) if label_sets else sets


def _with_label_sets(embeddings: Embeddings) -> Embeddings:
    targets = embeddings.targets
    assert targets is not None
    return replace(embeddings, targets=torch.stack([targets == 0, targets < 2, targets == 3], dim=1))


def make_backbone_run(sets: Sequence[Embeddings]) -> RecordingTraining:
    """Return the run for an evaluator of backbones under test, with pictures for a reference set and a test set."""
    torch.manual_seed(0)
    backbone = TinyBackbone()
    reference, test = (
        SampleDataset(
            [
                (image, embeddings.target(row))
                for row, image in enumerate(make_pictures(len(embeddings), IMAGE_SIZE, IMAGE_SIZE))
            ]
        )
        for embeddings in sets
    )
    plan = ViewPlan([])
    return RecordingTraining(
        backbone, reference, test, Collate([plan]), plan, torch.device("cpu"), lambda done, total: None
    )


def train_backbone(
    evaluator: BackboneEvaluator, run: BackboneTraining, sets: tuple[Embeddings, Embeddings]
) -> dict[str, float]:
    """Run an evaluator of backbones."""
    with run.started():
        return evaluator.evaluate_backbone(*sets, run)


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
    """Run an evaluator on embeddings, on patches or on a backbone."""
    if isinstance(evaluator, BackboneEvaluator):
        sets = make_sets()
        return train_backbone(evaluator, make_backbone_run(sets), sets)
    if isinstance(evaluator, PatchEvaluator):
        return evaluator.evaluate_patches(make_labeled_patches(), iter(make_segmented_images()), make_run())
    return evaluator.evaluate(*make_sets(), make_run())


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
        for image, original in zip(images, make_segmented_images(), strict=True):
            assert torch.equal(image.features, original.features)
            assert torch.equal(image.masks, original.masks)
        return
    reference, test = make_sets()
    if isinstance(evaluator, BackboneEvaluator):
        train_backbone(evaluator, make_backbone_run((reference, test)), (reference, test))
    else:
        evaluator.evaluate(reference, test, make_run())
    for used, fresh in zip((reference, test), make_sets(), strict=True):
        assert torch.equal(used.features, fresh.features)


@check("evaluator")
def does_not_change_the_backbone(case: Case) -> None:
    evaluator = case.build()
    if not isinstance(evaluator, BackboneEvaluator):
        return
    sets = make_sets()
    run = make_backbone_run(sets)
    run.evaluated.eval().requires_grad_(False)
    before = copy.deepcopy(run.evaluated.state_dict())
    train_backbone(evaluator, run, sets)
    for name, value in run.evaluated.state_dict().items():
        assert torch.equal(value, before[name]), f"the evaluation changes {name}; train a copy: run.backbone()"
    assert not run.evaluated.training
    assert not any(parameter.requires_grad for parameter in run.evaluated.parameters())


@check("evaluator")
def resumes_exactly(case: Case) -> None:
    evaluator = case.build()
    if not isinstance(evaluator, BackboneEvaluator):
        return
    sets = make_sets()
    run = make_backbone_run(sets)
    metrics = train_backbone(evaluator, run, sets)
    for state in run.states[:: max(1, len(run.states) - 1)]:
        resumed = replace(make_backbone_run(sets), states=[state])
        assert train_backbone(case.build(), resumed, sets) == metrics, "a resumed evaluation has other metrics"


@check("evaluator")
def declares_whether_it_needs_targets(case: Case) -> None:
    evaluator = case.build()
    if evaluator.needs_targets or isinstance(evaluator, PatchEvaluator | BackboneEvaluator):
        return
    reference, test = (replace(embeddings, targets=None) for embeddings in make_sets())
    assert evaluator.evaluate(reference, test, make_run())


@check("evaluator")
def evaluates_label_sets(case: Case) -> None:
    evaluator = case.build()
    if not evaluator.takes_label_sets:
        return
    sets = make_sets(label_sets=True)
    if isinstance(evaluator, BackboneEvaluator):
        metrics = train_backbone(evaluator, make_backbone_run(sets), sets)
    else:
        metrics = evaluator.evaluate(*sets, make_run())
    assert metrics
    assert all(math.isfinite(value) for value in metrics.values())
