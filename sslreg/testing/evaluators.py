"""What an evaluator promises; see `sslreg.Evaluator`."""

from __future__ import annotations

import math

import torch

from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.parts import embeddings_of


class OnTheCpu:
    """The run that an evaluator under test may ask."""

    device = torch.device("cpu")


@check("evaluator")
def gives_finite_figures(case: Case) -> None:
    figures = case.build().evaluate(embeddings_of(64), embeddings_of(32, seed=1), OnTheCpu())
    assert figures
    for name, value in figures.items():
        assert f"{case.info.name}_{name}".isidentifier(), f"{name!r}: figures are written as <name>_<metric>"
        assert isinstance(value, float)
        assert math.isfinite(value), f"{name} is {value}"


@check("evaluator")
def judges_alike_twice(case: Case) -> None:
    first, second = (case.build().evaluate(embeddings_of(64), embeddings_of(32, seed=1), OnTheCpu()) for _ in range(2))
    assert first == second


@check("evaluator")
def leaves_the_embeddings_alone(case: Case) -> None:
    reference, test = embeddings_of(64), embeddings_of(32, seed=1)
    case.build().evaluate(reference, test, OnTheCpu())
    assert torch.equal(reference.features, embeddings_of(64).features)
    assert torch.equal(test.features, embeddings_of(32, seed=1).features)


@check("evaluator")
def says_whether_it_needs_targets(case: Case) -> None:
    evaluator = case.build()
    if not evaluator.needs_targets:
        unlabelled = [
            type(one)(one.features, None, one.indices, one.names)
            for one in (embeddings_of(64), embeddings_of(32, seed=1))
        ]
        assert evaluator.evaluate(*unlabelled, OnTheCpu())
