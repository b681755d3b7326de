"""MoCo's queue: the keys of the last batches, first in, first out."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg import distributed


class FIFOMemoryBank(sslreg.MemoryBank):
    """The last `size` keys of width `dim`, first in, first out (MoCo, arXiv 1911.05722, section 3.2).

    Keys are stored as they are; losses enqueue vectors of length one.

    Args:
        size: The number of keys.
        dim: The width of the keys. If it is not known yet, `hold` sets it.
        fill: ``empty`` starts without rows, so that every negative was a key. ``random`` starts full of random
            directions, the same in every process, as MoCo's published code does.
        dtype: The dtype of the stored rows. Half precision halves the memory and rounds cosine similarities by up to
            2^-11 (float16) or 2^-8 (bfloat16).
        gather: In a distributed run, enqueue the keys of all processes in the order of their ranks. Each `enqueue`
            then costs an all-gather of (N, D). In return the bank is equal in every process, and equal to the bank of
            one process that has the whole batch. If false, a process enqueues only its own keys, at no cost: the
            banks of the processes differ, and a checkpoint holds only the bank of the process that writes it.

    Raises:
        ValueError: `size` or `dim` is below 1, or keys are not (N, dim).
        SslregError: Keys are not finite, or the processes gather different numbers of keys.
    """

    rows: Tensor

    def __init__(
        self,
        size: Annotated[int, Field(ge=1)],
        dim: Annotated[int | None, sslreg.FromRun("embedding_dim"), Field(ge=1)] = None,
        fill: Literal["empty", "random"] = "empty",
        dtype: Literal["float16", "bfloat16", "float32", "float64"] = "float32",
        gather: bool = True,
    ) -> None:
        super().__init__()
        self.gather = gather
        self._next = 0
        self._valid = 0
        self._staged: list[Tensor] = []
        self.fill = fill
        self.register_buffer("rows", torch.zeros(size, 0, dtype=getattr(torch, dtype)))
        if dim is not None:
            self.hold(dim)

    def hold(self, dim: int) -> None:
        size, held = self.rows.shape
        if dim < 1 or held not in (0, dim):
            raise ValueError(f"the memory bank holds rows of dim {held or 'at least one'} and cannot hold dim {dim}")
        if held == dim:
            return
        rows = torch.zeros(size, dim)
        if self.fill == "random":
            # A separate generator: processes with different seeds still start with the same bank.
            rows = torch.nn.functional.normalize(rows.normal_(generator=torch.Generator().manual_seed(0)))
            self._valid = size
        self.rows = rows.to(self.rows)

    def extra_repr(self) -> str:
        size, dim = self.rows.shape
        return f"size={size}, dim={dim}, valid={self._valid}, gather={self.gather}"

    def negatives(self) -> Tensor:
        return self.rows[: self._valid]

    def enqueue(self, keys: Tensor) -> None:
        """Stage keys (N, dim) for the next commit, which keeps the last `size` of them."""
        rows = self.rows
        size, dim = rows.shape
        if keys.ndim != 2 or keys.shape[1] != dim:
            raise ValueError(f"the memory bank holds rows of dim {dim}, but the keys have shape {tuple(keys.shape)}")
        keys = keys.detach()
        # The sum is fast to compute, and usually finite if the keys are.
        if not math.isfinite(keys.sum()) and not keys.isfinite().all():
            raise sslreg.SslregError(
                f"a key is not finite: {keys[~keys.isfinite()][0].item()} among keys of shape {tuple(keys.shape)}",
                hint="lower the learning rate, or train with more precision (trainer.precision: 32-true)",
                code="non-finite-embedding",
            )
        if self.gather:
            keys = distributed.gather_rows(keys)
        # A copy: the keys may be a view of a larger tensor, which should not stay alive with them.
        self._staged.append(keys[-size:].to(rows, copy=True))
        while sum(map(len, self._staged[1:])) >= size:
            del self._staged[0]

    def commit(self) -> None:
        rows = self.rows
        size = len(rows)
        for keys in self._staged:
            end = self._next + len(keys)
            if end <= size:
                rows[self._next : end] = keys
            else:
                rows[self._next :], rows[: end - size] = keys.tensor_split([size - self._next])
            self._next = end % size
            self._valid = min(self._valid + len(keys), size)
        self._staged.clear()

    def discard(self) -> None:
        self._staged.clear()

    def get_extra_state(self) -> Tensor:
        """Return where the next row is written and how many rows are valid.

        Both are kept on the host, where reading them does not wait for a device.
        """
        return torch.tensor([self._next, self._valid])

    def set_extra_state(self, state: Tensor) -> None:
        self._next, self._valid = state.tolist()
        self._staged.clear()
