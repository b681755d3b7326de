"""Curves as text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import sslreg
from sslreg_curves.metrics import Curve, drop_intervals


def format_curves(curves: dict[str, Curve], width: int) -> Iterator[str]:
    """Yield one line per figure: name, first value, curve in at most `width` characters, last value."""
    shown = drop_intervals(curves)
    longest = max(map(len, shown), default=0)
    for name, curve in shown.items():
        values = [value for _, value in curve]
        yield f"{name:{longest}}  {values[0]:10.4g}  {_format_blocks(values, width):{width}}  {values[-1]:.4g}"


def _format_blocks(values: list[float], width: int) -> str:
    """Return one character per block of values, for the mean of the block; a mark if it is extreme."""
    count = min(width, len(values))
    bounds = [len(values) * number // count for number in range(count + 1)]
    means = [sum(values[start:end]) / (end - start) for start, end in pairwise(bounds)]
    return sslreg.Axis.fit(means).blocks(means)
