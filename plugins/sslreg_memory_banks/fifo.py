"""The queue of MoCo: the last K keys."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

import sslreg


class FIFOMemoryBank(sslreg.MemoryBank):
    """The last `size` keys of width `dim`, first in, first out (MoCo, arXiv 1911.05722, section 3.2).

    The bank starts empty and fills with real keys; until it is full, `negatives` gives the rows that it has.
    ValueError: size or dim is below 1.
    """

    rows: Tensor
    position: Tensor
    count: Tensor

    def __init__(
        self, size: Annotated[int, Field(ge=1)], dim: Annotated[int, sslreg.FromRun("embedding_dim"), Field(ge=1)]
    ) -> None:
        super().__init__()
        if size < 1 or dim < 1:
            raise ValueError(f"a memory bank holds at least one row of at least one value, not {size} of {dim}")
        self.register_buffer("rows", torch.zeros(size, dim))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self._staged: list[Tensor] = []

    def negatives(self) -> Tensor:
        return self.rows[: int(self.count)]

    def enqueue(self, keys: Tensor) -> None:
        if keys.ndim != 2 or keys.shape[1] != self.rows.shape[1]:
            raise ValueError(
                f"the bank holds rows of {self.rows.shape[1]} values, and the keys are {tuple(keys.shape)}"
            )
        self._staged.append(keys.detach())

    @torch.no_grad()
    def commit(self) -> None:
        size = len(self.rows)
        for keys in self._staged:
            keys = keys[-size:]
            at = torch.arange(len(keys), device=keys.device).add(self.position).remainder(size)
            self.rows[at] = keys.to(self.rows)
            self.position.add_(len(keys)).remainder_(size)
            self.count.add_(len(keys)).clamp_(max=size)
        self._staged.clear()
