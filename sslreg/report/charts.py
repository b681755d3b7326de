"""Line charts that stretch to any width."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from sslreg.report.reported_runs import Curve

#: The inner size of a chart. The page stretches it, so these are resolutions and not pixels.
WIDTH, HEIGHT = 1000, 300

#: The largest number of points of a line. Longer curves are shown by the means of as many equal parts.
_POINTS = 400


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        label: Its name.
        style: The CSS class of its color.
        path: The path of an SVG.
        last: Its last value, as text.
    """

    label: str
    style: str
    path: str
    last: str


@dataclass(frozen=True)
class Chart:
    """Lines on common axes.

    Attributes:
        title: The name of the vertical axis.
        lines: The lines.
        low, high: The ends of the vertical axis, as text.
        left, right: The ends of the horizontal axis, as text.
    """

    title: str
    lines: list[Line]
    low: str
    high: str
    left: str
    right: str

    @property
    def description(self) -> str:
        """The chart in words, for screen readers."""
        ends = "; ".join(f"{line.label} ends at {line.last}" for line in self.lines)
        return f"{self.title}, {self.left} to {self.right}, between {self.low} and {self.high}: {ends}"


def build_chart(
    title: str, curves: Mapping[tuple[str, str], Curve], unit: str, low: float | None = None, logarithmic: bool = False
) -> Chart:
    """Build a chart of curves.

    Args:
        title: The name of the vertical axis.
        curves: Curves of one or more points, by label and style.
        unit: The unit of the horizontal axis: ``step`` gives ``step 40``.
        low: The lower end of the vertical axis; None for the smallest value.
        logarithmic: Whether the vertical axis is logarithmic.
    """
    thinned = {key: _thin(curve) for key, curve in curves.items()}
    positions = [position for curve in thinned.values() for position, _ in curve]
    values = [value for curve in thinned.values() for _, value in curve]
    bottom, top = min(values) if low is None else low, max(values)
    left, right = min(positions), max(positions)

    def height(value: float) -> float:
        if logarithmic:
            return _fraction(math.log(max(value, bottom)), math.log(bottom), math.log(top))
        return _fraction(value, bottom, top)

    def path(curve: Curve) -> str:
        points = [
            f"{WIDTH * _fraction(position, left, right):.0f} {HEIGHT * (1 - height(value)):.1f}"
            for position, value in curve
        ]
        # With round caps, a line without length is a dot.
        return f"M{'L'.join(points)}" + ("h0" if len(points) == 1 else "")

    return Chart(
        title,
        [Line(*key, path(curve), format_number(curves[key][-1][1])) for key, curve in thinned.items()],
        format_number(bottom),
        format_number(top),
        f"{unit} {left:g}",
        f"{unit} {right:g}",
    )


def format_number(value: float) -> str:
    """Format a number with four significant digits."""
    return f"{value:.4g}"


def _fraction(value: float, low: float, high: float) -> float:
    """Return the position of a value between two others, from 0 to 1."""
    return (value - low) / (high - low) if high > low else 0.5


def _thin(curve: Curve) -> Curve:
    if len(curve) <= _POINTS:
        return curve
    bounds = [len(curve) * part // _POINTS for part in range(_POINTS + 1)]
    parts = [curve[start:end] for start, end in pairwise(bounds)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]
