"""Checks of constructor arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence


def height_and_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return a size as (height, width); one number is both. ValueError: it is not positive."""
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ValueError(f"size {size} must be positive")
    return height, width


def interval(
    name: str, bounds: float | Sequence[float], *, lowest: float = -math.inf, highest: float = math.inf
) -> tuple[float, float]:
    """Return bounds as (low, high); one number is both. ValueError: they are in the wrong order or out of range."""
    low, high = (bounds, bounds) if isinstance(bounds, int | float) else bounds
    if not lowest <= low <= high <= highest:
        raise ValueError(f"{name} runs from {low} to {high}, and must rise within [{lowest:g}, {highest:g}]")
    return float(low), float(high)


def interval_around(
    name: str,
    spread: float | Sequence[float],
    *,
    center: float = 0.0,
    lowest: float = -math.inf,
    highest: float = math.inf,
) -> tuple[float, float]:
    """Return bounds as torchvision takes them: one number is a spread around a center, two are the bounds.

    A spread that reaches below the lowest value is cut there.
    """
    if not isinstance(spread, int | float):
        return interval(name, spread, lowest=lowest, highest=highest)
    if spread < 0:
        raise ValueError(f"{name} {spread} is a spread, and cannot be negative")
    low = center - spread
    return interval(name, (max(low, lowest) if center else low, center + spread), lowest=lowest, highest=highest)
