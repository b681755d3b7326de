"""The figures are the papers', computed again in float64 as they are written there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sslreg.evaluation.embedding_statistics import (
    alignment,
    effective_rank,
    embedding_std,
    singular_values,
    squared_distances,
    uniformity,
)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def embeddings(count: int, width: int, rank: int) -> np.ndarray:
    generator = np.random.default_rng(count + width)
    return generator.normal(size=(count, rank)) @ generator.normal(size=(rank, width)) + 0.3


SHAPES = pytest.mark.parametrize(("count", "width", "rank"), [(200, 16, 16), (40, 96, 50), (300, 64, 5), (2, 8, 2)])


@SHAPES
def test_the_rank_is_rankmes(count: int, width: int, rank: int) -> None:
    z = embeddings(count, width, rank)
    values = np.linalg.svd(z, compute_uv=False)
    p = values / np.abs(values).sum() + 1e-7
    assert effective_rank(singular_values(torch.tensor(z))) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-4)


@SHAPES
def test_the_spread_is_that_of_unit_vectors(count: int, width: int, rank: int) -> None:
    z = embeddings(count, width, rank)
    assert embedding_std(torch.tensor(z)) == pytest.approx(
        unit(z).std(axis=0, ddof=1).mean() * np.sqrt(width), rel=1e-5
    )


@SHAPES
def test_uniformity_is_the_logarithm_of_the_mean_potential_of_distinct_pairs(count: int, width: int, rank: int) -> None:
    x = unit(embeddings(count, width, rank))
    pairs = [np.square(x[i] - x[j]).sum() for i in range(count) for j in range(i)]
    expected = np.log(np.mean(np.exp(-2 * np.array(pairs))))
    assert uniformity(torch.tensor(x)) == pytest.approx(expected, rel=1e-4)


@SHAPES
def test_alignment_is_the_mean_squared_distance_of_positives(count: int, width: int, rank: int) -> None:
    x, y = embeddings(count, width, rank), embeddings(count + 1, width, rank)[1:]
    expected = np.square(np.linalg.norm(unit(x) - unit(y), axis=1)).mean()
    assert alignment(squared_distances(torch.tensor(x), torch.tensor(y))) == pytest.approx(expected, rel=1e-5)


def test_one_point_has_no_spread() -> None:
    point = torch.full((50, 8), 0.7)
    assert embedding_std(point) == pytest.approx(0, abs=1e-6)
    assert effective_rank(singular_values(point)) == pytest.approx(1, abs=1e-4)
    assert uniformity(point) == pytest.approx(0, abs=1e-5)
    assert effective_rank(singular_values(torch.zeros(50, 8))) == pytest.approx(1, abs=1e-4)


def test_all_directions_alike_have_the_most() -> None:
    spread = torch.randn(4000, 16, generator=torch.Generator().manual_seed(0))
    assert embedding_std(spread) == pytest.approx(1, abs=0.01)
    assert effective_rank(singular_values(spread)) == pytest.approx(16, abs=0.1)
    assert uniformity(spread) < -3
