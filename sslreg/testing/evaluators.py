"""What an evaluator promises; see `sslreg.Evaluator`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sslreg.assembly import SampleDataset
from sslreg.evaluation import EvaluationImages, FeatureExtractor
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.tiny_components import WIDTH, embeddings_of, pictures
from sslreg.views import Collate, ViewPlan


def on_the_cpu() -> FeatureExtractor:
    """The run that an evaluator under test may ask. Its 32 test samples are pictures, its features averages of them."""
    collate, samples = Collate([ViewPlan([])]), SampleDataset(pictures(32, 16, 16))
    return FeatureExtractor(
        collate, _averages, torch.device("cpu"), workers=0, images=EvaluationImages(samples, collate)
    )


def _averages(images: Tensor) -> Tensor:
    """The mean levels (N, 8) of eight parts of images (N, C, H, W)."""
    return images.reshape(len(images), WIDTH, -1).mean(dim=2)


@check("evaluator")
def gives_finite_figures(case: Case) -> None:
    figures = case.build().evaluate(embeddings_of(64), embeddings_of(32, seed=1), on_the_cpu())
    assert figures
    for name, value in figures.items():
        assert f"{case.info.name}_{name}".isidentifier(), f"{name!r}: figures are written as <name>_<metric>"
        assert isinstance(value, float)
        assert math.isfinite(value), f"{name} is {value}"


@check("evaluator")
def judges_alike_twice(case: Case) -> None:
    first, second = (
        case.build().evaluate(embeddings_of(64), embeddings_of(32, seed=1), on_the_cpu()) for _ in range(2)
    )
    assert first == second


@check("evaluator")
def leaves_the_embeddings_alone(case: Case) -> None:
    reference, test = embeddings_of(64), embeddings_of(32, seed=1)
    case.build().evaluate(reference, test, on_the_cpu())
    assert torch.equal(reference.features, embeddings_of(64).features)
    assert torch.equal(test.features, embeddings_of(32, seed=1).features)


@check("evaluator")
def says_whether_it_needs_targets(case: Case) -> None:
    evaluator = case.build()
    if not evaluator.needs_targets:
        unlabeled = [
            type(one)(one.features, None, one.indices, one.names)
            for one in (embeddings_of(64), embeddings_of(32, seed=1))
        ]
        assert evaluator.evaluate(*unlabeled, on_the_cpu())
