"""Balanced designs: on and off from the columns of Hadamard matrices, and stratified samples of an interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Signs = NDArray[np.int64]
Floats = NDArray[np.float64]

#: The number of subsets of a block's rows that are compared, if not all of its rows are needed.
_SUBSETS = 200


def draw_signs(rng: np.random.Generator, runs: int, factors: int) -> NDArray[np.bool_]:
    """Return which factors are on in each run (runs, factors), with main effects as independent as possible.

    The columns are those of Hadamard matrices: each factor is on in half of the runs, and every two factors are in all
    four combinations equally often. So the estimate of one main effect does not depend on the others, and has the
    smallest possible variance. A matrix has the next suitable order above the number of factors; further runs belong to
    further matrices. Rows, columns and signs are drawn. If runs are left that do not fill a matrix, they are the
    least correlated of many subsets of its rows: the estimates then depend on each other a little, and if there are
    fewer runs than factors, they cannot all be told apart.

    After Plackett and Burman, The design of optimum multifactorial experiments, Biometrika 33, 1946.
    """
    order = next_order(factors + 1)
    blocks = []
    for start in range(0, runs, order):
        matrix = hadamard(order)
        columns = 1 + rng.permutation(order - 1)[:factors]
        block = matrix[rng.permutation(order)][:, columns] * rng.choice([-1, 1], size=factors)
        blocks.append(_select_rows(rng, block, min(order, runs - start)))
    return np.concatenate([np.zeros((0, factors), dtype=np.int64), *blocks]) > 0


def _select_rows(rng: np.random.Generator, block: Signs, count: int) -> Signs:
    """Return some of the rows of a block; the subset in which the factors are balanced and least correlated."""
    if count == len(block):
        return block
    subsets = [block[rng.permutation(len(block))[:count]] for _ in range(_SUBSETS)]
    return min(subsets, key=_correlation)


def _correlation(rows: Signs) -> int:
    """Return the sum of the squared products of all pairs of columns, the constant one included."""
    columns = np.column_stack([np.ones(len(rows), dtype=np.int64), rows])
    return int(np.square(np.triu(columns.T @ columns, k=1)).sum())


def next_order(least: int) -> int:
    """Return the smallest order of a matrix that `hadamard` can construct and that is at least as large."""
    return next(order for order in range(max(least, 4), 2 * least + 5) if _is_power_of_two(order) or _is_paley(order))


def hadamard(order: int) -> Signs:
    """Return a Hadamard matrix: entries of 1 and -1, orthogonal columns, the first of ones.

    It is Sylvester's construction for powers of two, and otherwise Paley's for orders p + 1 with a prime p of the form
    4 k + 3.
    """
    if _is_power_of_two(order):
        from scipy.linalg import hadamard as sylvester

        matrix: Signs = sylvester(order).astype(np.int64)
        return matrix
    prime = order - 1
    squares = {number * number % prime for number in range(1, prime)}
    character = np.array([0, *(1 if number in squares else -1 for number in range(1, prime))])
    skew = np.zeros((order, order), dtype=np.int64)
    skew[0, 1:], skew[1:, 0] = 1, -1
    skew[1:, 1:] = character[np.subtract.outer(np.arange(prime), np.arange(prime)) % prime]
    matrix = skew + np.eye(order, dtype=np.int64)
    normalized: Signs = matrix * matrix[:, :1]
    return normalized


def _is_power_of_two(order: int) -> bool:
    return order & (order - 1) == 0


def _is_paley(order: int) -> bool:
    prime = order - 1
    return prime % 4 == 3 and all(prime % divisor for divisor in range(2, int(prime**0.5) + 1))


def stratify(rng: np.random.Generator, count: int) -> Floats:
    """Return numbers in [0, 1) in random order, one in each of as many equal intervals.

    Independent ones for several parameters are a Latin hypercube (McKay, Beckman and Conover, Technometrics 21, 1979).
    """
    numbers: Floats = (rng.permutation(count) + rng.random(count)) / max(count, 1)
    return numbers
