"""Nearest neighbors among many embeddings, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import normalize

#: Rows of queries that are compared at a time.
QUERIES = 256

#: Rows of keys that are compared at a time, and how many numbers they have at most.
KEYS, KEY_NUMBERS = 65_536, 2**25

#: How many values a maximum stands for on the way to the largest of a row.
_GROUP = 8


def nearest(queries: Tensor, keys: Tensor, k: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines (N, k) of each of N queries with its k nearest keys, nearest first, and their numbers, int64; on the CPU.

    Embeddings of any length, (N, D) and (M, D), on the CPU; the products are computed on `device`. Beside the result it
    takes memory for QUERIES x KEYS cosines and one chunk of keys.
    """
    cosines = torch.empty(len(queries), 0)
    numbers = torch.empty(len(queries), 0, dtype=torch.int64)
    rows = min(KEYS, max(1, KEY_NUMBERS // keys.shape[1]))
    for first in range(0, len(keys), rows):
        chunk = normalize(keys[first : first + rows].to(device), dim=1)
        found = [largest(products, min(k, len(chunk))) for products in similarities(queries, chunk)]
        cosines, places = torch.cat([cosines, torch.cat([values for values, _ in found]).cpu()], dim=1).topk(
            min(k, cosines.shape[1] + len(chunk)), dim=1
        )
        numbers = torch.cat([numbers, torch.cat([places for _, places in found]).cpu() + first], dim=1)
        numbers = numbers.gather(1, places)
    return cosines, numbers


def similarities(queries: Tensor, keys: Tensor) -> Iterator[Tensor]:
    """Cosines (n, M) of queries (N, D), a few at a time, with keys (M, D) that have length 1 and lie on the device.

    A chunk is overwritten by the next one.
    """
    product = torch.empty(min(QUERIES, len(queries)), len(keys), device=keys.device)
    for chunk in queries.split(QUERIES):
        yield torch.mm(normalize(chunk.to(keys.device), dim=1), keys.T, out=product[: len(chunk)])


def largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row (N, M), in any order, and their columns.

    A row's k largest are in those k groups of columns that have the largest maxima, so the maxima are searched before
    the values: much less to select from, in a pass over memory that vectorizes.
    """
    columns = values.shape[1] // _GROUP
    if columns < 2 * k:
        found: tuple[Tensor, Tensor] = values.topk(k, dim=1, sorted=False)
        return found
    # Group j is every column that is j modulo their number, so that neighbors in memory belong to different groups.
    maxima = values[:, : columns * _GROUP].unflatten(1, (_GROUP, columns)).amax(dim=1)
    _, groups = largest(maxima, k)
    members = torch.arange(_GROUP, device=values.device)[:, None] * columns
    rest = torch.arange(columns * _GROUP, values.shape[1], device=values.device).expand(len(values), -1)
    candidates = torch.cat([(groups[:, None, :] + members).flatten(1), rest], dim=1)
    best, places = values.gather(1, candidates).topk(k, dim=1, sorted=False)
    return best, candidates.gather(1, places)
