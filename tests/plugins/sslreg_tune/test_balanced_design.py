"""Hadamard matrices and stratified samples."""

from __future__ import annotations

import numpy as np
import pytest

from sslreg_tune.balanced_design import draw_signs, hadamard, stratify


@pytest.mark.parametrize("order", [4, 8, 12, 16, 20, 24, 32, 44])
def test_columns_of_hadamard_matrices_are_orthogonal(order: int) -> None:
    matrix = hadamard(order)
    assert np.array_equal(matrix.T @ matrix, order * np.eye(order))
    assert (matrix[:, 0] == 1).all()


@pytest.mark.parametrize(("runs", "factors"), [(16, 14), (12, 11), (20, 17), (40, 17), (8, 3)])
def test_every_two_factors_are_in_all_combinations_equally_often(runs: int, factors: int) -> None:
    signs = draw_signs(np.random.default_rng(0), runs, factors)
    for first in range(factors):
        for second in range(first):
            counts = np.bincount(2 * signs[:, first] + signs[:, second], minlength=4)
            assert (counts == runs // 4).all()


def test_a_part_of_a_matrix_is_less_correlated_than_at_random() -> None:
    def correlation(signs: np.ndarray) -> float:
        columns = np.column_stack([np.ones(len(signs)), 2 * signs - 1])
        return float(np.square(np.triu(columns.T @ columns, k=1)).sum())

    rng = np.random.default_rng(0)
    partial = correlation(draw_signs(rng, 12, 14))
    assert partial < min(correlation(rng.random((12, 14)) < 0.5) for _ in range(50))


def test_the_seed_decides() -> None:
    first, again, other = (draw_signs(np.random.default_rng(seed), 16, 9) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("factors", [0, 5])
def test_no_runs_are_possible(factors: int) -> None:
    assert draw_signs(np.random.default_rng(0), 0, factors).shape == (0, factors)


def test_strata_have_one_number_each() -> None:
    assert sorted((10 * stratify(np.random.default_rng(0), 10)).astype(int)) == list(range(10))
