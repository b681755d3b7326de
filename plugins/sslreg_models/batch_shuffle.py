"""Shuffling of a batch over all processes that train together."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from sslreg import distributed


class BatchShuffle:
    """A batch in random order over all processes, which can be undone (MoCo, arXiv 1911.05722, section 3.3).

    With several processes, shuffling and undoing are collective: every process does both in the same order. Gradients
    do not pass.

    Args:
        batch: The rows of this process. Every process has the same number of rows.
        within: Shuffle also if there is only one process.

    Attributes:
        rows: As many rows as `batch` has, drawn from the batches of all processes.
    """

    def __init__(self, batch: Tensor, *, within: bool) -> None:
        self._ranks = distributed.world_size()
        self._order: Tensor | None = None
        self.rows = batch
        if within or self._ranks > 1:
            self._order = torch.randperm(len(batch) * self._ranks, device=batch.device)
            if self._ranks > 1:
                dist.broadcast(self._order, src=0)
            self.rows = distributed.gather_rows(batch.detach())[self._own_part(self._order)]

    def undo(self, results: Tensor) -> Tensor:
        """Return results, one for each of `rows`, in the order of the batch."""
        if self._order is None:
            return results
        return distributed.gather_rows(results.detach())[self._own_part(self._order.argsort())]

    def _own_part(self, order: Tensor) -> Tensor:
        return order.chunk(self._ranks)[distributed.rank()]
