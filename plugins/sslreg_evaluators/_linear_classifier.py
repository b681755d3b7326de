"""A linear classifier on standardized features, by either of two solvers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sslreg_evaluators import _linear_lbfgs, _linear_sgd

Solver = Literal["auto", "lbfgs", "sgd"]

#: The share of the features that a penalty or a learning rate is chosen on.
HELD_OUT = 0.2

#: The largest number of values (samples x width) of a small set of features: 10,000 of width 512.
SMALL = 5_120_000


def fit_linear(
    features: Tensor, labels: Tensor, held_out: Tensor, solver: Solver, epochs: int, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """Fit a classifier and return the function from features (Q, D) to scores (Q, classes), on the CPU.

    Args:
        features: The features (N, D) to fit it on, which are standardized by their means and deviations.
        labels: Their classes (N,), from 0 to classes - 1, or which classes they have (N, classes), bool.
        held_out: Which of them (N,), bool, the penalty or the learning rate is chosen on.
        solver: ``auto`` uses ``lbfgs`` up to `SMALL` values, times classes for several labels, and ``sgd`` beyond.
        epochs: The epochs of ``sgd``.
        device: The device on which ``sgd`` computes.
    """
    standardize = fit_scale(features)
    rows = standardize(features)
    fits = 1 if labels.ndim == 1 else labels.shape[1]
    if solver == "sgd" or (solver == "auto" and features.numel() * fits > SMALL):
        predict = _linear_sgd.fit(rows, labels, held_out, epochs, device)
    else:
        predict = _linear_lbfgs.fit(rows, labels, held_out)
    return lambda queries: predict(standardize(queries))


def hold_out(samples: int) -> Tensor:
    """Choose the samples (N,), bool, that a penalty or a learning rate is chosen on: HELD_OUT of all.

    Raises:
        ValueError: None can be chosen.
    """
    count = round(HELD_OUT * samples)
    if not count:
        raise ValueError(f"the reference set has {samples} samples, so none can be held out")
    held_out = torch.zeros(samples, dtype=torch.bool)
    held_out[torch.from_numpy(np.random.default_rng(0).permutation(samples))[:count]] = True
    return held_out


def hold_out_by_class(labels: Tensor) -> Tensor:
    """Choose the samples (N,), bool, that a penalty or a learning rate is chosen on: HELD_OUT of each class.

    Raises:
        ValueError: None can be chosen.
    """
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(labels)))
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label in torch.unique(labels):
        members = order[labels[order] == label]
        held_out[members[: round(HELD_OUT * len(members))]] = True
    if not held_out.any():
        raise ValueError("no class of the reference set has three samples, so none can be held out")
    return held_out


def fit_scale(features: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the function that subtracts the means of features and divides by their deviations, per column.

    A constant column becomes 0.
    """
    deviation, mean = torch.std_mean(features, dim=0)
    deviation = torch.where(deviation > 1e-8 * (mean.abs() + 1e-8), deviation, torch.inf)
    return lambda queries: (queries - mean) / deviation
