"""Curves as text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from sslreg_curves.metrics import Curve, without_intervals

_LEVELS = "▁▂▃▄▅▆▇█"


def lines(curves: dict[str, Curve], width: int) -> Iterator[str]:
    """One line for each figure: name, first value, course in at most `width` characters, last value."""
    shown = without_intervals(curves)
    longest = max(map(len, shown), default=0)
    for name, curve in shown.items():
        values = [value for _, value in curve]
        yield f"{name:{longest}}  {values[0]:10.4g}  {_blocks(values, width):{width}}  {values[-1]:.4g}"


def _blocks(values: list[float], width: int) -> str:
    """Each character stands for the mean of as many values as any other."""
    count = min(width, len(values))
    bounds = [len(values) * number // count for number in range(count + 1)]
    means = [sum(values[start:end]) / (end - start) for start, end in pairwise(bounds)]
    low, high = min(means), max(means)
    scale = (len(_LEVELS) - 1) / (high - low) if high > low else 0.0
    return "".join(_LEVELS[round((mean - low) * scale)] for mean in means)
