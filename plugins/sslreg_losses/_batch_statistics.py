"""Statistics over the batch of all processes, with gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

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
    # The diagonal of the matrix would have a gradient of the size of the matrix, which is large.
    diagonal = distributed.sum((columns * others).sum(dim=0))
    squares: Tensor = _SumOfSquares.apply(matrix)
    return diagonal, squares - diagonal.square().sum()


class _SumOfSquares(torch.autograd.Function):
    """The sum of the squares of a matrix, with no copy of the matrix but its gradient."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        ctx.save_for_backward(matrix)
        # On a CPU, a single norm of many elements is off by a percent in float32.
        row_lengths: Tensor = torch.linalg.vector_norm(matrix, dim=1)
        return row_lengths.square().sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        matrix: Tensor = ctx.saved_tensors[0]
        return matrix * (2 * gradient)
