"""Statistics over the batch of all processes, with gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from sslreg import distributed
from sslreg_losses._autocast_and_compile import disable_autocast


def promote(embeddings: Tensor) -> Tensor:
    """Return embeddings in float32 or, from float64, in float64."""
    return embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))


def count_samples(columns: Tensor) -> Tensor:
    """Return the number of rows of all processes, which may have different ones, as a number of the type of the rows.

    Raises:
        ValueError: There is a single row, which has no variance.
    """
    if len(columns) * distributed.world_size() < 2:
        raise ValueError(f"variances and covariances need at least two samples, not {len(columns)}")
    return distributed.sum(columns.new_full((), float(len(columns))))


def center(columns: Tensor, samples: Tensor) -> Tensor:
    """Subtract the mean over the samples of all processes from each column (N, D)."""
    return columns - distributed.sum(columns.sum(dim=0)) / samples


def multiply_columns(columns: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return two parts of the matrix columnsᵀ others (D, D), a sum over the rows of all processes.

    Returns:
        Its diagonal (D,), and the sum of the squares of its other elements.
    """
    with disable_autocast(columns):
        matrix = distributed.sum(columns.T @ others)
    # The matrix is large. A view of its diagonal would have a gradient of its size, and so would a copy of squares.
    diagonal = distributed.sum((columns * others).sum(dim=0))
    squares = torch.linalg.vector_norm(matrix, dim=1).square()
    return diagonal, (squares - diagonal.square()).sum()
