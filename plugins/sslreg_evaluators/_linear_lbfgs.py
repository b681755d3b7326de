"""The linear classifier for few embeddings: logistic regression, fitted to convergence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sslreg_evaluators._average_precision import rate_scores

#: The penalties to choose from, as scikit-learn's C: a larger value is a weaker penalty.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def fit(features: Tensor, labels: Tensor, held_out: Tensor) -> Callable[[Tensor], Tensor]:
    """Fit a classifier and return the function from embeddings (Q, D) to log-probabilities (Q, classes).

    Args:
        features: The embeddings (N, D) to fit it on.
        labels: Their classes (N,), from 0 to classes - 1, or which classes they have (N, classes), bool.
        held_out: Which embeddings (N,), bool, the penalty is chosen on.
    """
    fit_one = _fit_classes if labels.ndim == 1 else _fit_label_sets
    qualities = []
    for penalty in PENALTIES:
        predict = fit_one(features[~held_out], labels[~held_out], penalty)
        qualities.append(rate_scores(predict(features[held_out]), labels[held_out]))
    # Of equals, the strongest penalty, which comes first.
    return fit_one(features, labels, PENALTIES[qualities.index(max(qualities))])


def _fit_classes(features: Tensor, labels: Tensor, penalty: float) -> Callable[[Tensor], Tensor]:
    model = fit_with_penalty(features, labels, penalty)
    return lambda queries: torch.from_numpy(model.predict_log_proba(queries.double().numpy()))


def _fit_label_sets(features: Tensor, labels: Tensor, penalty: float) -> Callable[[Tensor], Tensor]:
    """Fit a classifier for each class; the score of a class that all samples have, or none, is constant."""
    varying = [c for c in range(labels.shape[1]) if 0 < int(labels[:, c].sum()) < len(labels)]
    models = {c: fit_with_penalty(features, labels[:, c], penalty) for c in varying}

    def predict(queries: Tensor) -> Tensor:
        scores = torch.zeros(len(queries), labels.shape[1], dtype=torch.float64)
        for c, model in models.items():
            scores[:, c] = torch.from_numpy(model.decision_function(queries.double().numpy()))
        return scores

    return predict


def fit_with_penalty(features: Tensor, labels: Tensor, penalty: float) -> Any:
    """Return scikit-learn's logistic regression, fitted with C = `penalty`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # With a weak penalty and separable classes it converges slowly. Only its accuracy matters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=penalty, max_iter=200).fit(features.double().numpy(), labels.numpy())
