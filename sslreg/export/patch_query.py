"""The patches that are most similar to one patch, by a run's features."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from sslreg.contracts import Embeddings
from sslreg.errors import UserError
from sslreg.evaluation.nearest_neighbors import nearest_neighbors
from sslreg.export.data_selection import SelectedData
from sslreg.export.neighbor_query import Neighbor, Query, describe_neighbor, find_query, require_width
from sslreg.runs import Run


@dataclass(frozen=True)
class Patch:
    """A patch of an image.

    Attributes:
        row, column: Its place in the grid, from 0.
        grid: The numbers of rows and columns of the grid.
        features: Its features (D,).
    """

    row: int
    column: int
    grid: tuple[int, int]
    features: Tensor


@dataclass(frozen=True)
class PatchNeighbor(Neighbor):
    """A similar patch, and its image.

    Attributes:
        row, column: Its place in the grid, from 0.
        grid: The numbers of rows and columns of the grid.
    """

    row: int
    column: int
    grid: tuple[int, int]


def parse_patch(run: Run, query: Query, text: str) -> Patch:
    """Return the patch of the query that a text names by ``ROW,COLUMN``.

    Raises:
        UserError: There is no such patch, or the run has no patches.
    """
    (features,) = run.patches([query.image])
    rows, columns = features.shape[:2]
    place = re.fullmatch(r"(\d{1,6}),(\d{1,6})", text)
    if place is None or int(place[1]) >= rows or int(place[2]) >= columns:
        raise UserError(
            f"--patch {text}: {query.name} has no such patch; its grid has {rows} rows and {columns} columns",
            hint=f"name a patch by ROW,COLUMN: from 0,0 (top left) to {rows - 1},{columns - 1}",
            code="no-patch",
        )
    row, column = int(place[1]), int(place[2])
    return Patch(row, column, (rows, columns), features[row, column])


def find_patch_neighbors(
    query: Query, patch: Patch, data: SelectedData, parts: Iterable[Embeddings], count: int, *, own: bool = True
) -> list[PatchNeighbor]:
    """Find up to `count` patches that are nearest to a patch, the nearest first.

    The patches of the query itself are not among them: next to a patch, an image looks almost the same. Memory holds
    one part.

    Args:
        query: The image of the patch.
        patch: The patch whose neighbors are wanted.
        data: The images among which neighbors are searched.
        parts: The features of their patches by the same run, in parts of some images.
        count: The number of neighbors.
        own: Whether `data` is the run's own data, so that a place in a split means the same image in both.

    Raises:
        UserError: The features have another width than those of `patch`, or belong to other images.
    """
    nearest: list[PatchNeighbor] = []
    for part in parts:
        require_width(part, len(patch.features))
        found = _find_in_part(patch, part, find_query(query, data, part, own=own), data, count)
        nearest = sorted([*nearest, *found], key=lambda neighbor: -neighbor.similarity)[:count]
    return nearest


def _find_in_part(
    patch: Patch, part: Embeddings, itself: Tensor | None, data: SelectedData, count: int
) -> list[PatchNeighbor]:
    """Return up to `count` nearest patches in a part, except those of the image in row `itself`."""
    images = torch.arange(len(part))
    if itself is not None:
        images = images[images != itself]
    keys = (part.features if itself is None else part.features[images]).flatten(0, 2)
    similarities, places = nearest_neighbors(patch.features[None], keys, min(count, len(keys)))
    grid = (part.features.shape[1], part.features.shape[2])
    number, row, column = torch.unravel_index(places[0], (len(images), *grid))
    return [
        PatchNeighbor(**vars(describe_neighbor(part, image, similarity, data)), row=row, column=column, grid=grid)
        for image, similarity, row, column in zip(
            images[number].tolist(), similarities[0].tolist(), row.tolist(), column.tolist(), strict=True
        )
    ]
