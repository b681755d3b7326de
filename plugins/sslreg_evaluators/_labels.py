"""What the supervised evaluators ask of the embeddings that they are handed."""

from __future__ import annotations

from torch import Tensor

import sslreg


def labels_of(embeddings: sslreg.Embeddings, role: str) -> Tensor:
    """The targets (N,). ValueError: there are none."""
    if embeddings.targets is None:
        raise ValueError(f"the {role} set has no labels; name one that has under data.{role}")
    return embeddings.targets
