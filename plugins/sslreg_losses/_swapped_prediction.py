"""The cross-entropy between views whose targets come from another view, as in SwAV and DINO."""

from __future__ import annotations

from torch import Tensor


def swapped_cross_entropy(targets: Tensor, log_predictions: Tensor) -> Tensor:
    """Return the mean cross-entropy over all samples and all pairs of a target's view and another view.

    Args:
        targets: Probabilities (T, N, K) of the first T views.
        log_predictions: Logarithms of the predicted probabilities (V, N, K) of all V views, V >= T and V > 1.
    """
    others = log_predictions.sum(dim=0) - log_predictions[: len(targets)]
    return -(targets * others).sum(dim=2).mean() / (len(log_predictions) - 1)
