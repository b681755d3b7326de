"""Collective operations of a run's processes, with gradients: ``from sslreg import distributed``.

In a run of one process, and outside of a run, `gather_rows`, `mean` and `sum` return their input. With several
processes they are collective calls: every process makes the same ones in the same order.

Each process computes the loss of its batch. Gradients are summed over the processes: they are those of the sum of all
losses. DDP averages the gradients of parameters over the processes, which makes them those of the mean of the losses.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

from sslreg.errors import SslregError


def world_size() -> int:
    """Return the number of processes that train together, 1 outside of a distributed run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0 to `world_size` - 1."""
    return dist.get_rank() if world_size() > 1 else 0


def gather_rows(rows: Tensor) -> Tensor:
    """Concatenate the rows (N, …) of all W processes in the order of their ranks: (W·N, …).

    The gradient of a row is the sum over the processes.

    Raises:
        SslregError: The processes have different numbers of rows. Every process raises it.
    """
    if world_size() == 1:
        return rows
    counts = _all_gather(torch.tensor([len(rows)], device=rows.device)).tolist()
    if len(set(counts)) > 1:
        raise SslregError(
            f"gathering needs batches of one size, but the processes have {counts} rows",
            hint="drop the incomplete last batch, or turn off gathering in the loss or the memory bank",
            code="unequal-batches",
        )
    gathered: Tensor = _GatherRows.apply(rows)
    return gathered


def sum(values: Tensor) -> Tensor:
    """Sum a tensor of any shape, the same in every process, over the processes.

    The gradient is the sum over the processes as well.
    """
    if world_size() == 1:
        return values
    total: Tensor = _Sum.apply(values)
    return total


def mean(values: Tensor) -> Tensor:
    """Average a tensor of any shape, the same in every process, over the processes.

    The gradient is the mean over the processes as well.
    """
    if world_size() == 1:
        return values
    average: Tensor = _Mean.apply(values)
    return average


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        return _all_gather(rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _all_reduce(gradient).chunk(world_size())[rank()]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _all_reduce(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _all_reduce(gradient)


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _all_reduce(values / world_size())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _all_reduce(gradient / world_size())


def _all_gather(rows: Tensor) -> Tensor:
    gathered = rows.new_empty(world_size() * len(rows), *rows.shape[1:])
    dist.all_gather(list(gathered.chunk(world_size())), rows.contiguous())
    return gathered


def _all_reduce(values: Tensor) -> Tensor:
    total = values.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total
