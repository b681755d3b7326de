"""A linear classifier on embeddings."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_evaluators._average_precision import mean_average_precision
from sslreg_evaluators._classification import require_labels, require_same_kind, top_accuracies
from sslreg_evaluators._linear_classifier import Solver, fit_linear, hold_out, hold_out_by_class


class Linear(sslreg.Evaluator):
    """Accuracy of a linear classifier on the embeddings of the frozen backbone.

    It is fitted on the reference embeddings, standardized by their mean and standard deviation. Its penalty or its
    learning rate is the one that classifies a fifth of each class of the reference set best, drawn by numpy's
    ``default_rng(0)``, when fitted on the rest. Then it is fitted on the whole reference set.

    Metrics: ``top1`` and, for more than five classes, ``top5``, with Wilson's interval over test samples. For samples
    with several labels, a classifier is fitted for each class, and the metric is ``map``, the mean over classes of the
    average precision, by which the penalty or the learning rate is chosen too. Its interval comes from a bootstrap over
    test samples.

    Args:
        solver: ``lbfgs`` is scikit-learn's logistic regression, its penalty C chosen among powers of ten. ``sgd`` is
            stochastic gradient descent on the run's device with batches of 1024, its learning rate chosen among
            twelve, which are trained side by side. ``auto`` uses lbfgs up to 5,120,000 values (samples times width,
            and times classes if samples have several labels) and sgd beyond.
        epochs: The epochs of ``sgd``.

    Raises:
        ValueError: The reference set has a single class, or none of its classes has three samples.
    """

    takes_label_sets = True

    def __init__(
        self,
        solver: Solver = "auto",
        epochs: Annotated[int, Field(ge=1)] = 50,
    ) -> None:
        self.solver = solver
        self.epochs = epochs

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        known, targets = require_labels(reference, "reference"), require_labels(test, "test")
        if require_same_kind(known, targets):
            return self._evaluate_label_sets(reference.features, known, test.features, targets, run.device)
        classes, labels = torch.unique(known, return_inverse=True)
        if len(classes) < 2:
            raise ValueError("the reference set has a single class, so there is nothing to tell apart")
        predict = fit_linear(
            reference.features, labels, hold_out_by_class(labels), self.solver, self.epochs, run.device
        )
        scores = predict(test.features)
        ranked = classes[scores.topk(min(5, len(classes)), dim=1).indices]
        return top_accuracies(ranked, targets, len(classes))

    def _evaluate_label_sets(
        self, features: Tensor, labels: Tensor, queries: Tensor, targets: Tensor, device: torch.device
    ) -> dict[str, float]:
        """Return ``map`` of queries (Q, D) with targets (Q, C), by features (N, D) with labels (N, C)."""
        predict = fit_linear(features, labels, hold_out(len(labels)), self.solver, self.epochs, device)
        return mean_average_precision(predict(queries), targets)
