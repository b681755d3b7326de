"""Rows of the other processes, with gradient."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

import sslreg


def world_size() -> int:
    """Processes that train together, 1 outside of a distributed run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def others_rows(rows: Tensor) -> Tensor:
    """The rows (M, D) of all other processes, in their order, ((W-1)·M, D).

    Their gradient is summed over the processes and goes back to where they came from. SslregError: the processes
    do not have the same number of rows.
    """
    _refuse_unequal(rows)
    gathered: Tensor = _Gather.apply(rows)
    rank = dist.get_rank()
    return torch.cat([gathered[:rank], gathered[rank + 1 :]]).flatten(0, 1)


class _Gather(torch.autograd.Function):
    """(M, D) on each process to (W, M, D) on all."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        gathered = rows.new_empty((world_size(), *rows.shape))
        dist.all_gather(list(gathered.unbind()), rows.contiguous())
        return gathered

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        return total[dist.get_rank()]


def _refuse_unequal(rows: Tensor) -> None:
    counts = torch.empty(world_size(), dtype=torch.int64, device=rows.device)
    dist.all_gather(list(counts.view(-1, 1).unbind()), counts.new_tensor([len(rows)]))
    if len(set(counts.tolist())) > 1:
        raise sslreg.SslregError(
            f"gather_distributed needs as many samples on every process, and they have {counts.tolist()} rows",
            hint="drop incomplete last batches",
            code="unequal-batches",
        )
