"""The linear classifier for few embeddings: logistic regression, fitted to convergence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

#: The penalties to choose from, as scikit-learn's C: a larger value is a weaker penalty.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def fit(features: Tensor, labels: Tensor, held_out: Tensor) -> Callable[[Tensor], Tensor]:
    """Fit a classifier and return the function from embeddings (Q, D) to log-probabilities (Q, classes).

    Args:
        features: The embeddings (N, D) to fit it on.
        labels: Their classes (N,), from 0 to classes - 1.
        held_out: Which embeddings (N,), bool, the penalty is chosen on.
    """
    accuracies = []
    for penalty in PENALTIES:
        model = _fit(features[~held_out], labels[~held_out], penalty)
        accuracies.append(model.score(features[held_out].numpy(), labels[held_out].numpy()))
    # Of equals, the strongest penalty, which comes first.
    best = PENALTIES[accuracies.index(max(accuracies))]
    model = _fit(features, labels, best)
    return lambda queries: torch.from_numpy(model.predict_log_proba(queries.double().numpy()))


def _fit(features: Tensor, labels: Tensor, penalty: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # With a weak penalty and separable classes it converges slowly. Only its accuracy matters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=penalty, max_iter=200).fit(features.double().numpy(), labels.numpy())
