"""Normalization of embeddings to length one, for any scale and precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import sslreg
from sslreg_losses._autocast_and_compile import disable_autocast, refuse_second_derivative

#: Shorter vectors have no direction: their similarity to any other is 0, and so is their gradient.
SHORTEST = 1e-12


def normalize_rows(embeddings: Tensor) -> Tensor:
    """Scale rows (..., D) to length one, in float32 or, from float64, in float64.

    Raises:
        SslregError: An embedding is not finite. The message names the first such value.
    """
    unit: Tensor = _NormalizeRows.apply(embeddings)
    return unit


class _NormalizeRows(torch.autograd.Function):
    """x / |x|, scaled by the largest entry first, so that no square leaves the range of its type."""

    @staticmethod
    def forward(ctx: Any, embeddings: Tensor) -> Tensor:
        rows: Tensor = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        largest = torch.linalg.vector_norm(rows, ord=float("inf"), dim=-1, keepdim=True)
        if not largest.isfinite().all():
            _refuse_non_finite(rows)
        unit: Tensor = rows / largest.clamp_min(torch.finfo(rows.dtype).tiny)
        length = torch.linalg.vector_norm(unit, dim=-1, keepdim=True).clamp_min(1)
        unit /= length
        inverse = 1 / (largest * length)
        has_no_direction = largest * length < SHORTEST
        unit.masked_fill_(has_no_direction, 0)
        inverse.masked_fill_(has_no_direction, 0)
        ctx.dtype = embeddings.dtype
        ctx.save_for_backward(unit, inverse)
        return unit

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        refuse_second_derivative()
        (gradient,) = gradients
        unit, inverse = ctx.saved_tensors
        with disable_autocast(gradient):
            along = torch.linalg.vecdot(gradient, unit).unsqueeze(-1)
            across = torch.addcmul(gradient, unit, along, value=-1)
        return across.mul_(inverse).to(ctx.dtype)


def _refuse_non_finite(rows: Tensor) -> None:
    where = (~rows.isfinite()).nonzero()[0].tolist()
    raise sslreg.SslregError(
        f"an embedding is not finite: {rows[tuple(where)].item()} at index {where} of shape {list(rows.shape)}",
        hint="lower the learning rate, or train with more precision (trainer.precision: 32-true)",
        code="non-finite-embedding",
    )
