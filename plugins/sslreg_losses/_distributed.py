"""Rows of all processes, with gradient."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

import sslreg


def world_size() -> int:
    """Processes that train together, 1 outside of a distributed run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's number among them."""
    return dist.get_rank() if world_size() > 1 else 0


def gather_rows(rows: Tensor) -> Tensor:
    """The rows (M, …) of every process in the order of their ranks, (W·M, …).

    The gradient of a row is summed over the processes and goes back to the one that it came from.
    SslregError: the processes do not have the same number of rows.
    """
    counts = rows.new_empty(world_size(), dtype=torch.int64)
    _all_gather(counts, counts.new_tensor([len(rows)]))
    if len(set(counts.tolist())) > 1:
        raise sslreg.SslregError(
            f"gather_distributed needs batches of one size, and the processes have {counts.tolist()} rows",
            hint="drop the incomplete last batch",
            code="unequal-batches",
        )
    gathered: Tensor = _Gather.apply(rows)
    return gathered


def others_rows(rows: Tensor) -> Tensor:
    """`gather_rows` without this process's own, ((W-1)·M, D)."""
    everyone, first = gather_rows(rows), rank() * len(rows)
    return torch.cat([everyone[:first], everyone[first + len(rows) :]])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        gathered = rows.new_empty(world_size() * len(rows), *rows.shape[1:])
        _all_gather(gathered, rows.contiguous())
        return gathered

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(world_size())[rank()]


def _all_gather(result: Tensor, own: Tensor) -> None:
    dist.all_gather(list(result.chunk(world_size())), own)
