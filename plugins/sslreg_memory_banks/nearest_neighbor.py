"""The support set of NNCLR: past embeddings, of which the nearest one replaces an embedding."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sslreg import nearest_neighbors
from sslreg_memory_banks.fifo import FIFOMemoryBank


class NearestNeighborMemoryBank(FIFOMemoryBank):
    """A FIFO bank of unit vectors that finds the nearest row of each query (NNCLR, arXiv 2104.14548, section 3.2)."""

    def enqueue(self, keys: Tensor) -> None:
        super().enqueue(normalize(keys.detach(), dim=-1))

    @torch.no_grad()
    def nearest(self, queries: Tensor) -> Tensor:
        """Return the nearest rows; see `sslreg.MemoryBank.nearest`.

        An empty bank, before the first commit, returns the queries as unit vectors: the first step of NNCLR is that of
        SimCLR.

        Raises:
            ValueError: The queries are not (N, dim).
        """
        past = self.negatives()
        if queries.ndim != 2 or queries.shape[1] != past.shape[1]:
            raise ValueError(
                f"the memory bank holds rows of dim {past.shape[1]}, but the queries have shape {tuple(queries.shape)}"
            )
        if not len(past):
            return normalize(queries, dim=-1)
        # The rows are unit vectors, and the length of a query does not change which row is nearest.
        _, indices = nearest_neighbors(queries, past, 1, metric="dot")
        return past[indices[:, 0]].to(queries.dtype)
