"""The KoLeo regularizer, which spreads embeddings over the sphere."""

from __future__ import annotations

import torch
from torch import Tensor

from sslreg import distributed
from sslreg_losses._autocast_and_compile import disable_autocast
from sslreg_losses._normalization import normalize_rows


def koleo(embeddings: Tensor, eps: float = 1e-8) -> Tensor:
    """Return the mean of -log(d + eps), where d is the distance of a normalized row to its nearest other row.

    It estimates the differential entropy (arXiv 1806.03198). The other rows are those of all processes; in the code of
    DINOv2, those of one GPU. The distance of equal rows has a gradient of zero.

    Args:
        embeddings: Rows (N, D).
        eps: What is added to a distance, which may be zero.

    Raises:
        ValueError: There is a single row.
    """
    rows = normalize_rows(embeddings)
    others = distributed.gather_rows(rows)
    if len(others) < 2:
        raise ValueError("KoLeo needs at least two samples, because it compares each with its nearest neighbor")
    with torch.no_grad(), disable_autocast(rows):
        similarity = rows @ others.T
        similarity.diagonal(distributed.rank() * len(rows)).fill_(-torch.inf)
        nearest = similarity.argmax(dim=1)
    distances: Tensor = torch.linalg.vector_norm(rows - others[nearest], dim=1)
    return -(distances + eps).log().mean()
