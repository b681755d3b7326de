"""Shuffling a batch, over all processes that train together."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from sslreg import distributed


class Shuffle:
    """A batch in random order, and the way back.

    images: what this process is to work on: as many as it brought, drawn from the batches of all processes, which have
    to be of one size. within: shuffle even where this process is alone. Gradients do not pass through either way.
    Communicates where `torch.distributed` runs several processes: each of them has to shuffle, and undo, in the same
    order.
    """

    def __init__(self, images: Tensor, *, within: bool) -> None:
        self._ranks = distributed.world_size()
        self._order: Tensor | None = None
        self.images = images
        if within or self._ranks > 1:
            self._order = torch.randperm(len(images) * self._ranks, device=images.device)
            if self._ranks > 1:
                dist.broadcast(self._order, src=0)
            self.images = distributed.gather_rows(images.detach())[self._own_part(self._order)]

    def undo(self, results: Tensor) -> Tensor:
        """The rows of `results`, one per row of `images`, in the order of the batch that was shuffled."""
        if self._order is None:
            return results
        return distributed.gather_rows(results.detach())[self._own_part(self._order.argsort())]

    def _own_part(self, order: Tensor) -> Tensor:
        return order.chunk(self._ranks)[distributed.rank()]
