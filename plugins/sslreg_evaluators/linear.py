"""A linear classifier on embeddings."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_evaluators import _linear_lbfgs, _linear_sgd
from sslreg_evaluators._labels import labels_of, top_figures

#: The share of the reference set that a penalty or a learning rate is chosen on.
HELD_OUT = 0.2

#: Up to how many numbers (samples x width) the reference set is small: 10,000 embeddings of width 512.
SMALL = 5_120_000


class Linear(sslreg.Evaluator):
    """Accuracy of a linear classifier that is fitted on the reference embeddings, the backbone being as it is.

    Features are standardized by the reference set's mean and deviation. ``solver: lbfgs`` is logistic regression
    (scikit-learn's), its penalty C chosen among powers of ten; ``sgd`` is stochastic gradient descent on the run's
    device with a batch of 1024, for `epochs`, its learning rate chosen among twelve, which are trained side by side;
    ``auto`` takes lbfgs up to 5,120,000 numbers (samples times width) and sgd beyond. What is chosen is what classifies
    a fifth of each class of the reference set best, drawn by numpy's ``default_rng(0)``, when it is fitted on the rest;
    then all is fitted again. Figures: ``top1`` and, for more than five classes, ``top5``, with Wilson's interval over
    test samples. ValueError: the reference set has a single class, or no class has three samples.
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
        known, truth = labels_of(reference, "reference"), labels_of(test, "test")
        classes, labels = known.unique(return_inverse=True)
        if len(classes) < 2:
            raise ValueError("the reference set has a single class, and there is nothing to tell apart")
        features, queries = _standardized(reference.features, test.features)
        held_out = _held_out(labels)
        if self.solver == "sgd" or (self.solver == "auto" and features.numel() > SMALL):
            scores = _linear_sgd.scores(features, labels, held_out, queries, self.epochs, run.device)
        else:
            scores = _linear_lbfgs.scores(features, labels, held_out, queries)
        ranked = classes[scores.topk(min(5, len(classes)), dim=1).indices]
        return top_figures(ranked, truth, len(classes))


def _held_out(labels: Tensor) -> Tensor:
    """Which samples (N,), bool, a penalty or a learning rate is chosen on: HELD_OUT of each class."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(labels)))
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = order[labels[order] == label]
        held_out[members[: round(HELD_OUT * len(members))]] = True
    if not held_out.any():
        raise ValueError("no class of the reference set has three samples, of which one could be held out")
    return held_out


def _standardized(features: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Both less the mean of the features and by their deviation, column by column; a constant column becomes 0."""
    deviation, mean = torch.std_mean(features, dim=0)
    deviation = torch.where(deviation > 1e-8 * (mean.abs() + 1e-8), deviation, torch.inf)
    return (features - mean) / deviation, (queries - mean) / deviation
