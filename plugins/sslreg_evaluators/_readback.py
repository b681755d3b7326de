"""The linear readout: how well ridge regression tells from embeddings which parameters an augmentation drew."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import sslreg
from sslreg_evaluators._confidence_intervals import RESAMPLES, percentile_interval

#: The number of folds of the cross-validation.
FOLDS = 5

#: The ridge penalties to choose from, by the leave-one-out error within a fold's training part. Inputs are
#: standardized.
PENALTIES = tuple(10.0**power for power in range(-1, 6))


def read_back(before: Tensor, after: Tensor, params: sslreg.Params) -> dict[str, float]:
    """Return ``readback``, the share R² of the variance of drawn parameters that ridge regression predicts.

    R² is cross-validated, so it is below 0 if the mean predicts better. Its interval comes from a bootstrap over
    images with fixed predictions. The result is empty if no parameter varies or if there are fewer than ten images.

    Args:
        before: Embeddings (N, D) of N images.
        after: Embeddings (N, D) of the augmented images.
        params: What the augmentation drew. R² is averaged over the floating-point numbers that vary.
    """
    drawn = _varying_columns(params)
    if drawn is None or len(before) < 2 * FOLDS:
        return {}
    errors = (drawn - _cross_predict(torch.cat([before, after], dim=1).double(), drawn)).square()
    rows = torch.from_numpy(np.random.default_rng(0).integers(0, len(drawn), (RESAMPLES, len(drawn))))
    resampled = _r2(drawn[rows], errors[rows])
    return {"readback": float(_r2(drawn, errors)), "readback_ci": percentile_interval(resampled.numpy())}


def _varying_columns(params: sslreg.Params) -> Tensor | None:
    """Return the drawn floating-point numbers (N, K), without constant columns; None if none is left."""
    columns = [values.reshape(len(values), -1) for values in params.values() if values.is_floating_point()]
    if not columns:
        return None
    drawn = torch.cat(columns, dim=1).double()
    drawn = drawn[:, drawn.amax(dim=0) - drawn.amin(dim=0) > 1e-6]
    return drawn if drawn.shape[1] else None


def _cross_predict(pairs: Tensor, drawn: Tensor) -> Tensor:
    """Predict each row (N, K) by a regression on the rows of the other folds."""
    predicted = torch.empty_like(drawn)
    folds = torch.from_numpy(np.random.default_rng(0).permutation(len(drawn)) % FOLDS)
    for fold in range(FOLDS):
        inside = folds == fold
        predicted[inside] = predict_by_ridge(pairs[~inside], drawn[~inside], pairs[inside])
    return predicted


def predict_by_ridge(inputs: Tensor, outputs: Tensor, queries: Tensor) -> Tensor:
    """Predict (Q, K) for queries (Q, D) by ridge regression of outputs (N, K) on standardized inputs (N, D).

    The penalty is the one of `PENALTIES` with the smallest leave-one-out error, which has a closed form (Golub, Heath,
    Wahba: Generalized cross-validation, Technometrics 1979, equation 1.2). The result is that of scikit-learn's
    RidgeCV. The N x N form suits embeddings that are wider than the number of images, and torch's decomposition keeps
    to the run's threads.
    """
    deviation, mean = torch.std_mean(inputs, dim=0, correction=0)
    deviation = torch.where(deviation > 1e-12, deviation, torch.inf)
    rows, offset = (inputs - mean) / deviation, outputs.mean(dim=0)
    values, vectors = torch.linalg.eigh(rows @ rows.T)
    values, rotated = values.clamp(min=0.0), vectors.T @ (outputs - offset)
    solutions, errors = [], []
    for penalty in PENALTIES:
        shrinkage = values / (values + penalty)
        # The weight of a row's own output in its prediction. The mean, which is fitted too, adds 1 / N.
        leverage = vectors.square() @ shrinkage + 1.0 / len(rows)
        residuals = outputs - offset - vectors @ (shrinkage[:, None] * rotated)
        errors.append(float((residuals / (1.0 - leverage)[:, None]).square().mean()))
        solutions.append(rows.T @ (vectors @ (rotated / (values + penalty)[:, None])))
    best = solutions[errors.index(min(errors))]
    predictions: Tensor = (queries - mean) / deviation @ best + offset
    return predictions


def _r2(drawn: Tensor, errors: Tensor) -> Tensor:
    """Return 1 - squared errors / squared deviations from the mean, averaged over columns: (…, N, K) to (…)."""
    variation = (drawn - drawn.mean(dim=-2, keepdim=True)).square().sum(dim=-2)
    return (1.0 - errors.sum(dim=-2) / variation.clamp(min=1e-30)).mean(dim=-1)
