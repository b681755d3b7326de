"""What the supervised evaluators ask of the embeddings that they are handed."""

from __future__ import annotations

from torch import Tensor

import sslreg
from sslreg_evaluators._confidence_intervals import share


def labels_of(embeddings: sslreg.Embeddings, role: str) -> Tensor:
    """The targets (N,). ValueError: there are none."""
    if embeddings.targets is None:
        raise ValueError(f"the {role} set has no labels; name one that has under data.{role}")
    return embeddings.targets


def top_figures(ranked: Tensor, truth: Tensor, classes: int) -> dict[str, float]:
    """``top1`` and, for more than five classes, ``top5``, with their intervals.

    ranked: (N, up to 5) classes, the most likely first; truth: (N,); classes: how many there are.
    """
    hits = ranked == truth[:, None]
    figures = share("top1", int(hits[:, 0].sum()), len(truth))
    if classes > 5:
        figures |= share("top5", int(hits[:, :5].any(dim=1).sum()), len(truth))
    return figures
