"""The checks of evaluators; see `sslreg.Evaluator`."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from sslreg.assembly import SampleDataset
from sslreg.evaluation import EvaluationImages, FeatureExtractor
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.tiny_components import WIDTH, make_embeddings, make_pictures
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


@check("evaluator")
def returns_finite_metrics(case: Case) -> None:
    metrics = case.build().evaluate(make_embeddings(64), make_embeddings(32, seed=1), make_run())
    assert metrics
    for name, value in metrics.items():
        assert f"{case.info.name}_{name}".isidentifier(), f"{name!r}: metrics are written as <name>_<metric>"
        assert isinstance(value, float)
        assert math.isfinite(value), f"{name} is {value}"


@check("evaluator")
def is_deterministic(case: Case) -> None:
    first, second = (
        case.build().evaluate(make_embeddings(64), make_embeddings(32, seed=1), make_run()) for _ in range(2)
    )
    assert first == second


@check("evaluator")
def does_not_change_the_embeddings(case: Case) -> None:
    reference, test = make_embeddings(64), make_embeddings(32, seed=1)
    case.build().evaluate(reference, test, make_run())
    assert torch.equal(reference.features, make_embeddings(64).features)
    assert torch.equal(test.features, make_embeddings(32, seed=1).features)


@check("evaluator")
def declares_whether_it_needs_targets(case: Case) -> None:
    evaluator = case.build()
    if not evaluator.needs_targets:
        unlabeled = [
            replace(embeddings, targets=None) for embeddings in (make_embeddings(64), make_embeddings(32, seed=1))
        ]
        assert evaluator.evaluate(*unlabeled, make_run())
