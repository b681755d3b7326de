"""Exact nearest neighbors among many embeddings, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

#: The number of queries that are compared at a time.
QUERIES = 256

#: The number of keys that are compared at a time, and the largest number of values that they have together.
KEYS, KEY_VALUES = 65_536, 2**25

#: The largest number of similarities of one chunk of queries. Malloc reuses buffers of this size, but not larger ones.
SIMILARITIES = 2**22

#: The number of columns that share a maximum while the largest values of a row are searched.
_GROUP = 8

#: The number of columns in a block while the largest value of a row is searched.
_BLOCK = 512


@torch.no_grad()
def nearest_neighbors(
    queries: Tensor,
    keys: Tensor,
    k: int,
    *,
    metric: Literal["cosine", "dot"] = "cosine",
    exclude: Tensor | None = None,
    device: torch.device | None = None,
) -> tuple[Tensor, Tensor]:
    """Find the k keys (M, D) that are most similar to each query (N, D).

    Memory beyond the result holds `QUERIES` x `KEYS` similarities and one chunk of keys.

    Args:
        queries: Embeddings (N, D) of any length.
        keys: Embeddings (M, D) of any length.
        k: The number of neighbors, from 0 to M.
        metric: ``cosine``, or ``dot`` for the inner product. Both give the same order if the keys have length one;
            ``dot`` saves the normalization.
        exclude: For each query the index (N,) of a key that is not its neighbor, such as the query itself. Its
            similarity is -inf, so choose k below M.
        device: The device that compares; by default that of the queries.

    Returns:
        Similarities (N, k) in descending order, in float32 or, from float64 queries, in float64, and the int64 indices
        (N, k) of the keys; on the queries' device. Equally similar neighbors are ordered by index, and for k = 1 the
        lowest of equal indices is found.
    """
    device = queries.device if device is None else device
    precision = torch.promote_types(queries.dtype, torch.float32)
    similarities = queries.new_empty(len(queries), 0, dtype=precision)
    indices = queries.new_empty(len(queries), 0, dtype=torch.int64)
    rows = min(KEYS, max(1, KEY_VALUES // keys.shape[1]))
    if len(queries) <= QUERIES:  # more chunks of queries share one buffer
        rows = min(rows, max(1, SIMILARITIES // max(1, len(queries))))
    with torch.autocast(device.type, enabled=False):
        queries = queries.to(precision)
        for first in range(0, len(keys), rows):
            chunk = keys[first : first + rows].to(device, precision)
            chunk = normalize(chunk, dim=1) if metric == "cosine" else chunk
            found = [
                largest(_without(products, exclude, start, first), min(k, len(chunk)))
                for start, products in inner_products(queries, chunk, metric)
            ]
            similarities = torch.cat([similarities, torch.cat([values for values, _ in found]).to(queries.device)], 1)
            indices = torch.cat([indices, torch.cat([columns for _, columns in found]).to(queries.device) + first], 1)
            similarities, indices = _sort(similarities, indices, k)
    return similarities, indices


def inner_products(
    queries: Tensor, keys: Tensor, metric: Literal["cosine", "dot"] = "cosine"
) -> Iterator[tuple[int, Tensor]]:
    """Yield the index of a query and the inner products (n, M) of the n queries from there on with keys (M, D).

    With ``cosine``, queries (N, D) are normalized, but keys are not. Each chunk overwrites the one before it.
    """
    product = torch.empty(min(QUERIES, len(queries)), len(keys), device=keys.device, dtype=keys.dtype)
    for start in range(0, max(1, len(queries)), QUERIES):
        chunk = queries[start : start + QUERIES].to(keys.device)
        chunk = normalize(chunk, dim=1) if metric == "cosine" else chunk
        yield start, torch.mm(chunk, keys.T, out=product[: len(chunk)])


def largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest values of each row (N, M), in any order, and their columns.

    The k largest are in those k groups of columns that have the largest maxima. The maxima are therefore searched
    before the values: that leaves fewer values to select from, after a pass over memory that vectorizes.
    """
    if k == 1:
        return _largest(values)
    columns = values.shape[1] // _GROUP
    if columns <= 2 * k:
        found: tuple[Tensor, Tensor] = values.topk(k, dim=1, sorted=False)
        return found
    # Group j holds the columns that equal j modulo the number of groups: columns that are neighbors in memory then
    # belong to different groups.
    maxima = values[:, : columns * _GROUP].view(len(values), _GROUP, columns).amax(dim=1)
    _, groups = largest(maxima, k)
    members = torch.arange(_GROUP, device=values.device)[:, None] * columns
    rest = torch.arange(columns * _GROUP, values.shape[1], device=values.device).expand(len(values), -1)
    candidates = torch.cat([(groups[:, None, :] + members).flatten(1), rest], dim=1)
    best, places = values.gather(1, candidates).topk(k, dim=1, sorted=False)
    return best, candidates.gather(1, places)


def _largest(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the largest value of each row (N, M) and its first column, (N, 1) each.

    The maxima of blocks of columns are searched first, in a pass over memory that vectorizes.
    """
    columns = values.shape[1]
    if columns < 2 * _BLOCK:
        return torch.max(values, dim=1, keepdim=True)
    blocks = columns // _BLOCK
    # The last block overlaps the one before it, unless the columns divide into blocks.
    maxima = values[:, : blocks * _BLOCK].view(len(values), blocks, _BLOCK).amax(dim=2)
    maxima = torch.cat([maxima, values[:, -_BLOCK:].amax(dim=1, keepdim=True)], dim=1)
    first = (maxima.argmax(dim=1, keepdim=True) * _BLOCK).clamp(max=columns - _BLOCK)
    block = first + torch.arange(_BLOCK, device=values.device)
    best, places = torch.max(values.gather(1, block), dim=1, keepdim=True)
    return best, first + places


def _without(products: Tensor, exclude: Tensor | None, start: int, first: int) -> Tensor:
    """Write -inf to the excluded keys, the rows counting from query `start` and the columns from key `first`."""
    if exclude is not None:
        columns = exclude[start : start + len(products)].to(products.device) - first
        inside = (columns >= 0) & (columns < products.shape[1])
        products[inside, columns[inside]] = -torch.inf
    return products


def _sort(similarities: Tensor, indices: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Sort each row by descending similarity, equals by index, and keep the first k.

    Only the rows that contain equals are sorted twice: equals are rare.
    """
    # One more than k shows whether the last one has an equal that is left out.
    best, places = similarities.topk(min(k + 1, similarities.shape[1]), dim=1)
    chosen = indices.gather(1, places[:, :k])
    tied = (best[:, 1:] == best[:, :-1]).any(dim=1).nonzero()[:, 0]
    if len(tied):
        by_index, order = indices[tied].sort(dim=1)
        _, places = similarities[tied].gather(1, order).sort(dim=1, descending=True, stable=True)
        chosen[tied] = by_index.gather(1, places[:, :k])
    return best[:, :k], chosen
