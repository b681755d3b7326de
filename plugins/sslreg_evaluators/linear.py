"""A linear classifier on embeddings."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_evaluators import _linear_lbfgs, _linear_sgd
from sslreg_evaluators._classification import require_labels, top_accuracies

#: The share of the reference set that a penalty or a learning rate is chosen on.
HELD_OUT = 0.2

#: The largest number of values (samples x width) of a small reference set: 10,000 embeddings of width 512.
SMALL = 5_120_000


class Linear(sslreg.Evaluator):
    """Accuracy of a linear classifier on the embeddings of the frozen backbone.

    It is fitted on the reference embeddings, standardized by their mean and standard deviation. Its penalty or its
    learning rate is the one that classifies a fifth of each class of the reference set best, drawn by numpy's
    ``default_rng(0)``, when fitted on the rest. Then it is fitted on the whole reference set.

    Metrics: ``top1`` and, for more than five classes, ``top5``, with Wilson's interval over test samples.

    Args:
        solver: ``lbfgs`` is scikit-learn's logistic regression, its penalty C chosen among powers of ten. ``sgd`` is
            stochastic gradient descent on the run's device with batches of 1024, its learning rate chosen among
            twelve, which are trained side by side. ``auto`` uses lbfgs up to 5,120,000 values (samples times width)
            and sgd beyond.
        epochs: The epochs of ``sgd``.

    Raises:
        ValueError: The reference set has a single class, or none of its classes has three samples.
    """

    def __init__(
        self,
        solver: Literal["auto", "lbfgs", "sgd"] = "auto",
        epochs: Annotated[int, Field(ge=1)] = 50,
    ) -> None:
        self.solver = solver
        self.epochs = epochs

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        known, targets = require_labels(reference, "reference"), require_labels(test, "test")
        classes, labels = torch.unique(known, return_inverse=True)
        if len(classes) < 2:
            raise ValueError("the reference set has a single class, so there is nothing to tell apart")
        features, queries = _standardize(reference.features, test.features)
        held_out = _hold_out(labels)
        if self.solver == "sgd" or (self.solver == "auto" and features.numel() > SMALL):
            scores = _linear_sgd.predict(features, labels, held_out, queries, self.epochs, run.device)
        else:
            scores = _linear_lbfgs.predict(features, labels, held_out, queries)
        ranked = classes[scores.topk(min(5, len(classes)), dim=1).indices]
        return top_accuracies(ranked, targets, len(classes))


def _hold_out(labels: Tensor) -> Tensor:
    """Choose the samples (N,), bool, that a penalty or a learning rate is chosen on: HELD_OUT of each class."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(labels)))
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label in torch.unique(labels):
        members = order[labels[order] == label]
        held_out[members[: round(HELD_OUT * len(members))]] = True
    if not held_out.any():
        raise ValueError("no class of the reference set has three samples, so none can be held out")
    return held_out


def _standardize(features: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Subtract the mean of the features and divide by their deviation, per column; a constant column becomes 0."""
    deviation, mean = torch.std_mean(features, dim=0)
    deviation = torch.where(deviation > 1e-8 * (mean.abs() + 1e-8), deviation, torch.inf)
    return (features - mean) / deviation, (queries - mean) / deviation
