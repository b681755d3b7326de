"""Accuracy by the number of labels."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_evaluators._classification import require_labels
from sslreg_evaluators._confidence_intervals import Z, standard_error, t_quantile
from sslreg_evaluators._linear_classifier import fit_scale
from sslreg_evaluators._linear_lbfgs import fit_with_penalty
from sslreg_evaluators.linear import Linear

#: The penalty with few labels, as scikit-learn's C. A fifth of few labels is too little to choose it on: with 5 to 20
#: labels per class of the digits, this value was within .006 of the best of 1e-4 to 10, and up to .018 above the choice
#: by a fifth.
PENALTY = 0.1

LabelCount = Annotated[int, Field(ge=1)]


class LabelEfficiency(sslreg.Evaluator):
    """Accuracy of a linear classifier on the frozen embeddings, from few labels to all.

    For each number in `labels`, that many reference samples of each class are drawn `draws` times, and scikit-learn's
    logistic regression is fitted to them with the penalty C = 0.1. Draw d shuffles each class, in ascending order, by
    numpy's ``default_rng(d)`` and takes the first samples, so that every subject gets the same labels, and a larger
    number contains the labels of a smaller one. A class with fewer samples contributes all of them. Numbers that no
    class exceeds are left out, since they would equal ``all``. Features are standardized by the mean and standard
    deviation of the whole reference set, which needs no labels.

    Metrics:

    * one for each number of labels (``label_efficiency_10``): the mean accuracy over the draws. Its interval adds the
      variance over draws (by Student's t) and that over test samples.
    * ``all``: the accuracy with all labels, which is the ``top1`` of the evaluator `linear`.

    A number takes the time of at most `draws` fits to all labels; `linear` itself takes seven.

    Args:
        labels: The numbers of labels per class.
        draws: How often the labeled samples are drawn.

    Raises:
        ValueError: The reference set has a single class, or none of its classes has three samples.
    """

    def __init__(
        self,
        labels: Annotated[list[LabelCount], Field(min_length=1)] = [1, 2, 5, 10, 20, 50, 100],  # noqa: B006 - constant
        draws: Annotated[int, Field(ge=1)] = 10,
    ) -> None:
        self.labels = sorted(set(labels))
        self.draws = draws

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        labels, targets = require_labels(reference, "reference"), require_labels(test, "test")
        all_labels = Linear().evaluate(reference, test, run)
        standardize = fit_scale(reference.features)
        features, queries = standardize(reference.features), standardize(test.features)
        largest = int(torch.bincount(labels).max())
        metrics: dict[str, float] = {}
        for number in (number for number in self.labels if number < largest):
            hits = np.stack(
                [_find_hits(features[rows], labels[rows], queries, targets) for rows in self._draw(labels, number)]
            )
            error = math.hypot(
                t_quantile(self.draws) * standard_error(hits.mean(axis=1)), Z * standard_error(hits.mean(axis=0))
            )
            metrics |= {str(number): float(hits.mean()), f"{number}_ci": error}
        return metrics | {"all": all_labels["top1"], "all_ci": all_labels["top1_ci"]}

    def _draw(self, labels: Tensor, number: int) -> list[Tensor]:
        """Return for each draw the rows of up to `number` samples of each class."""
        members = [np.flatnonzero(labels.numpy() == label) for label in torch.unique(labels).numpy()]
        draws = []
        for draw in range(self.draws):
            generator = np.random.default_rng(draw)
            draws.append(
                torch.from_numpy(np.concatenate([generator.permutation(indices)[:number] for indices in members]))
            )
        return draws


def _find_hits(features: Tensor, labels: Tensor, queries: Tensor, targets: Tensor) -> np.ndarray:
    """Return whether a classifier fitted to features (M, D) is right for each of N queries: (N,), float64."""
    model = fit_with_penalty(features, labels, PENALTY)
    hits: np.ndarray = (model.predict(queries.double().numpy()) == targets.numpy()).astype(np.float64)
    return hits
