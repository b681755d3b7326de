"""Rectangles of patches."""

from __future__ import annotations

import torch
from torch import Tensor


def place_rectangles(sizes: Tensor, places: Tensor, grid: tuple[int, int]) -> Tensor:
    """Place rectangles of patches within the grid.

    Args:
        sizes: int64 (..., 2), the height and width of each rectangle, at most those of the grid.
        places: float (..., 2) in [0, 1), the position of the rectangle between the first and the last possible row and
            column.
        grid: the numbers of rows and columns.

    Returns:
        bool (..., rows, columns), true within the rectangle.
    """
    inside = []
    for axis, length in enumerate(grid):
        size = sizes[..., axis, None]
        start = (places[..., axis, None].double() * (length - size + 1)).long()
        line = torch.arange(length)
        inside.append((line >= start) & (line < start + size))
    return inside[0][..., :, None] & inside[1][..., None, :]


def rectangle_sizes(area: Tensor, aspect_ratio: Tensor) -> Tensor:
    """Return the height and width (..., 2) of rectangles of an area and an aspect ratio (height by width), rounded.

    They may be larger than the grid, or zero.
    """
    sides = torch.stack((area * aspect_ratio, area / aspect_ratio), dim=-1)
    return sides.sqrt().round().long()


def check_interval(name: str, interval: tuple[float, float], most: float) -> tuple[float, float]:
    """Return the interval (low, high).

    Raises:
        ValueError: it is not within (0, most), or not in ascending order.
    """
    low, high = interval
    if not 0 < low <= high <= most:
        raise ValueError(f"{name} is {list(interval)}; it should be [low, high] with 0 < low <= high <= {most:g}")
    return low, high
