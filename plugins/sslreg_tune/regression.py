"""Bayesian linear regression for few observations of many factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: The number of draws of the sampler, and how many of the first ones are dropped.
DRAWS, WARM_UP = 2400, 400

#: The degrees of freedom of the errors.
ERROR_DF = 4.0

#: The scales of the half-Cauchy priors, in standard deviations of the outcome: of main factors, of what is sparse, and
#: of errors. A larger one for what is sparse widens the intervals of main factors without covering more.
MAIN_SCALE, SPARSE_SCALE, ERROR_SCALE = 1.0, 0.005, 1.0


def draw_coefficients(outcome: Floats, main: Floats, other: Floats, seed: int = 0) -> Floats:
    """Draw from the posterior of the coefficients of a linear model with interactions.

    * The coefficients of main factors are Gaussian with one common scale, which is learned. So there may be more
      coefficients than observations.
    * All pairs of main factors may interact. Interactions and further factors have a horseshoe prior: most are near
      zero, few are large.
    * Errors are Student's t with four degrees of freedom. So a few collapsed runs do not hide everything else.

    A Gibbs sampler: Carvalho, Polson and Scott, The horseshoe estimator for sparse signals, Biometrika 2010, with the
    auxiliary variables of Makalic and Schmidt, arXiv 1508.03884, and coefficients drawn as by Bhattacharya, Chakraborty
    and Mallick, arXiv 1506.04778.

    Args:
        outcome: The outcomes (N,), not all equal.
        main: The factors that may interact (N, P), each in about [-1/2, 1/2].
        other: Further factors (N, Q).
        seed: The seed of the sampler.

    Returns:
        The coefficients of all factors (draws, P + Q).
    """
    rng = np.random.default_rng(seed)
    scale = float(outcome.std())
    target = (outcome - np.median(outcome)) / scale
    count, first, second = len(target), *np.triu_indices(main.shape[1], 1)
    interactions = 2.0 * main[:, first] * main[:, second]
    columns = np.hstack([np.ones((count, 1)), main, other, interactions])
    dense, kept = main.shape[1], main.shape[1] + other.shape[1]
    weights = np.ones(count)
    error, common, sparse = _Scale(ERROR_SCALE), _Scale(MAIN_SCALE), _Scale(SPARSE_SCALE)
    local = auxiliary = np.ones(columns.shape[1] - 1 - dense)
    draws = np.empty((DRAWS - WARM_UP, kept))
    for number in range(DRAWS):
        prior = np.concatenate([[100.0], np.full(dense, common.variance), sparse.variance * local])
        coefficients = _draw_gaussian(rng, target, columns, prior, error.variance / weights)
        residuals = target - columns @ coefficients
        error.update(rng, weights * residuals**2)
        weights = rng.gamma((ERROR_DF + 1) / 2, size=count) / ((ERROR_DF + residuals**2 / error.variance) / 2)
        squares = coefficients[1:] ** 2
        local = _bound((1 / auxiliary + squares[dense:] / sparse.variance / 2) / rng.gamma(1, size=len(local)))
        auxiliary = (1 + 1 / local) / rng.gamma(1, size=len(local))
        common.update(rng, squares[:dense])
        sparse.update(rng, squares[dense:] / local)
        if number >= WARM_UP:
            draws[number - WARM_UP] = coefficients[1 : 1 + kept]
    return draws * scale


class _Scale:
    """The standard deviation of some values, with a half-Cauchy prior.

    Attributes:
        variance: The latest draw of its square.
    """

    def __init__(self, scale: float) -> None:
        self.variance = scale**2
        self._scale, self._auxiliary = scale, 1.0

    def update(self, rng: np.random.Generator, squares: Floats) -> None:
        """Draw the variance given the squares of the values."""
        rate = 1 / self._auxiliary + float(squares.sum()) / 2
        self.variance = float(_bound(rate / rng.gamma((len(squares) + 1) / 2)))
        self._auxiliary = (1 / self._scale**2 + 1 / self.variance) / rng.gamma(1)


def _draw_gaussian(rng: np.random.Generator, target: Floats, columns: Floats, prior: Floats, noise: Floats) -> Floats:
    """Draw coefficients with independent Gaussian priors, given the outcome.

    Args:
        rng: The generator.
        target: The outcome (N,).
        columns: The factors (N, P).
        prior: The variances of the coefficients (P,).
        noise: The variances of the errors (N,).
    """
    if len(target) > len(prior):
        precision = (columns.T / noise) @ columns + np.diag(1 / prior)
        root = np.linalg.cholesky(precision)
        gradient = columns.T @ (target / noise) + root @ rng.normal(size=len(prior))
        return np.asarray(np.linalg.solve(precision, gradient))
    # Bhattacharya et al.: it solves a system of the size of the outcome.
    start = rng.normal(size=len(prior)) * np.sqrt(prior)
    covariance = (columns * prior) @ columns.T
    covariance[np.diag_indices(len(target))] += noise
    misfit = target - columns @ start - rng.normal(size=len(target)) * np.sqrt(noise)
    drawn: Floats = start + prior * (columns.T @ np.linalg.solve(covariance, misfit))
    return drawn


def _bound(variances: Any) -> Any:
    """Keep variances away from zero and infinity."""
    return np.clip(variances, 1e-9, 1e9)
