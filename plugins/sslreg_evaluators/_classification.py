"""Labels and accuracies, for the supervised evaluators."""

from __future__ import annotations

from torch import Tensor

import sslreg
from sslreg_evaluators._confidence_intervals import proportion


def require_labels(embeddings: sslreg.Embeddings, role: str) -> Tensor:
    """Return the class numbers (N,), or for samples with several labels (N, C), bool.

    Raises:
        ValueError: There are none.
    """
    if embeddings.targets is None:
        raise ValueError(f"the {role} set has no labels; use a data set with labels for data.{role}")
    return embeddings.targets


def require_same_kind(labels: Tensor, targets: Tensor) -> bool:
    """Return whether samples have several labels.

    Raises:
        ValueError: The reference set and the test set differ in that, or in the number of classes.
    """
    if labels.shape[1:] != targets.shape[1:]:
        raise ValueError("the reference set and the test set have different kinds or numbers of labels")
    return labels.ndim == 2


def top_accuracies(ranked: Tensor, targets: Tensor, classes: int) -> dict[str, float]:
    """Return ``top1`` and, for more than five classes, ``top5``, with their intervals.

    Args:
        ranked: Up to five predicted classes (N, 5), the most likely one first; -1 is no class.
        targets: The true classes (N,).
        classes: The number of classes.
    """
    hits = ranked == targets[:, None]
    metrics = proportion("top1", int(hits[:, 0].sum()), len(targets))
    if classes > 5:
        metrics |= proportion("top5", int(hits[:, :5].any(dim=1).sum()), len(targets))
    return metrics
