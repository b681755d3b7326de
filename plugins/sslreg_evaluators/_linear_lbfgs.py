"""The linear classifier of few embeddings: logistic regression to convergence."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

#: The penalties to choose from, as scikit-learn's C: the larger, the weaker.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def scores(features: Tensor, labels: Tensor, held_out: Tensor, queries: Tensor) -> Tensor:
    """Log-probabilities (Q, classes) of queries (Q, D), by a classifier fitted on features (N, D).

    labels: (N,), 0 … classes - 1; held_out: bool (N,), what the penalty is chosen on.
    """
    accuracies = []
    for penalty in PENALTIES:
        model = _fitted(features[~held_out], labels[~held_out], penalty)
        accuracies.append(model.score(features[held_out].numpy(), labels[held_out].numpy()))
    # Of equals the strongest penalty, which comes first.
    best = PENALTIES[accuracies.index(max(accuracies))]
    return torch.from_numpy(_fitted(features, labels, best).predict_log_proba(queries.double().numpy()))


def _fitted(features: Tensor, labels: Tensor, penalty: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # A weak penalty on separable classes converges slowly, and what matters is how it classifies.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=penalty, max_iter=200).fit(features.double().numpy(), labels.numpy())
