"""The support set of NNCLR: past embeddings, of which the nearest stands in for an embedding."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sslreg_memory_banks.fifo import FIFOMemoryBank

#: Similarities that are looked at together: sixteen megabytes.
TILE = 2**22


class NearestNeighborMemoryBank(FIFOMemoryBank):
    """A FIFO bank of unit vectors that finds each query's nearest row (NNCLR, arXiv 2104.14548, section 3.2)."""

    def enqueue(self, keys: Tensor) -> None:
        super().enqueue(normalize(keys.detach(), dim=-1))

    @torch.no_grad()
    def nearest(self, queries: Tensor) -> Tensor:
        """For each query (N, D), the row of highest cosine similarity, in the queries' type and without gradient.

        Of an empty bank, before the first commit, the queries themselves as unit vectors: the first step of NNCLR is
        SimCLR's. ValueError: the queries are not (N, dim).
        """
        past = self.negatives()
        if queries.ndim != 2 or queries.shape[1] != past.shape[1]:
            raise ValueError(
                f"the memory bank holds rows of dim {past.shape[1]}, and the queries have shape {tuple(queries.shape)}"
            )
        if not len(past):
            return normalize(queries, dim=-1)
        precision = torch.promote_types(queries.dtype, torch.float32)
        best = queries.new_full((len(queries),), -torch.inf, dtype=precision)
        where = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
        at_once = max(1, TILE // max(1, len(queries)))
        with torch.autocast(queries.device.type, enabled=False):
            for start in range(0, len(past), at_once):
                # Without normalizing: a query's length does not change which row is nearest.
                similarity, row = (queries.to(precision) @ past[start : start + at_once].to(precision).T).max(1)
                nearer = similarity > best
                best = torch.where(nearer, similarity, best)
                where = torch.where(nearer, row + start, where)
        return past[where].to(queries.dtype)
