"""Whether what was done to an image can be read off its embeddings by a linear map."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import sslreg
from sslreg_evaluators._confidence_intervals import RESAMPLES, percentile_width

#: Parts that the images are split into, each predicted by a map fitted on the others.
FOLDS = 5

#: Ridge penalties to choose from, by leave-one-out error within what is fitted on; inputs are standardized.
PENALTIES = tuple(10.0**power for power in range(-1, 6))


def readback(before: Tensor, after: Tensor, params: sslreg.Params) -> dict[str, float]:
    """``readback``, the share R² of the variance of what was drawn that ridge regression predicts, and its interval.

    before, after: embeddings (N, D) of N images and of what an augmentation made of them. params: what that drew: the
    numbers in floating point that vary are read back, and R² is their mean. Nothing, if there are none or fewer than
    ten images. R² is cross-validated, so it may be below 0, where the mean is the better guess. The interval is from a
    bootstrap over images, with the predictions as they are.
    """
    drawn = _varying(params)
    if drawn is None or len(before) < 2 * FOLDS:
        return {}
    errors = (drawn - _predicted(torch.cat([before, after], dim=1).double(), drawn)).square()
    rows = torch.from_numpy(np.random.default_rng(0).integers(0, len(drawn), (RESAMPLES, len(drawn))))
    resampled = _r2(drawn[rows], errors[rows])
    return {"readback": float(_r2(drawn, errors)), "readback_ci": percentile_width(resampled.numpy())}


def _varying(params: sslreg.Params) -> Tensor | None:
    """Columns (N, K) of what was drawn in floating point, less those that are constant."""
    columns = [values.reshape(len(values), -1) for values in params.values() if values.is_floating_point()]
    if not columns:
        return None
    drawn = torch.cat(columns, dim=1).double()
    drawn = drawn[:, drawn.amax(dim=0) - drawn.amin(dim=0) > 1e-6]
    return drawn if drawn.shape[1] else None


def _predicted(pairs: Tensor, drawn: Tensor) -> Tensor:
    """What is predicted (N, K) for each row from the rows of the other folds."""
    predicted = torch.empty_like(drawn)
    folds = torch.from_numpy(np.random.default_rng(0).permutation(len(drawn)) % FOLDS)
    for fold in range(FOLDS):
        inside = folds == fold
        predicted[inside] = ridge(pairs[~inside], drawn[~inside], pairs[inside])
    return predicted


def ridge(inputs: Tensor, outputs: Tensor, queries: Tensor) -> Tensor:
    """Predictions (Q, K) for queries (Q, D), by ridge regression of outputs (N, K) on standardized inputs (N, D).

    The penalty is that of `PENALTIES` with the least leave-one-out error, by the closed form for it (Golub, Heath,
    Wahba: Generalized cross-validation, Technometrics 1979, equation 1.2). As scikit-learn's RidgeCV; the N x N
    form is for embeddings wider than there are images, and torch's decomposition keeps to the run's threads.
    """
    deviation, mean = torch.std_mean(inputs, dim=0, correction=0)
    deviation = torch.where(deviation > 1e-12, deviation, torch.inf)
    rows, offset = (inputs - mean) / deviation, outputs.mean(dim=0)
    values, vectors = torch.linalg.eigh(rows @ rows.T)
    values, rotated = values.clamp(min=0.0), vectors.T @ (outputs - offset)
    solutions, errors = [], []
    for penalty in PENALTIES:
        shrunk = values / (values + penalty)
        # How much of its own value a prediction takes; the mean, which is fitted too, takes 1 / N.
        leverage = vectors.square() @ shrunk + 1.0 / len(rows)
        residuals = outputs - offset - vectors @ (shrunk[:, None] * rotated)
        errors.append(float((residuals / (1.0 - leverage)[:, None]).square().mean()))
        solutions.append(rows.T @ (vectors @ (rotated / (values + penalty)[:, None])))
    best = solutions[errors.index(min(errors))]
    predictions: Tensor = (queries - mean) / deviation @ best + offset
    return predictions


def _r2(drawn: Tensor, errors: Tensor) -> Tensor:
    """1 - squared errors by squared deviations from the mean, averaged over columns; (…, N, K) to (…)."""
    spread = (drawn - drawn.mean(dim=-2, keepdim=True)).square().sum(dim=-2)
    return (1.0 - errors.sum(dim=-2) / spread.clamp(min=1e-30)).mean(dim=-1)
