"""Line charts that stretch to any width."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from sslreg.axis import ABOVE, BELOW, Axis
from sslreg.runs.curve_reader import Curve

#: The positions of a confidence interval with its lower and its upper ends.
Band = list[tuple[float, float, float]]

#: The inner size of a chart. The page stretches it, so these are resolutions and not pixels.
WIDTH, HEIGHT = 1000, 300

#: The values of a line: for each its place in the picture, and its position and itself as texts.
Points = list[tuple[int, int, str, str]]

#: The largest number of points of a line. Longer curves are shown by the means of as many equal parts.
_POINTS = 400


@dataclass(frozen=True)
class Mark:
    """The mark of a value that is beyond the vertical axis.

    Attributes:
        text: The mark.
        left: Its horizontal position, from 0 to 1.
    """

    text: str
    left: float

    @property
    def is_above(self) -> bool:
        """Whether the value is above the axis."""
        return self.text == ABOVE


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        label: Its name.
        style: The CSS class of its color.
        path: The path of an SVG.
        last: Its last value, as text.
        marks: Marks of its values beyond the vertical axis.
        points: Its values with their places in the picture.
        band: The path of its confidence interval; empty without one.
    """

    label: str
    style: str
    path: str
    last: str
    marks: list[Mark]
    points: Points
    band: str = ""


@dataclass(frozen=True)
class Chart:
    """Lines on common axes.

    Attributes:
        title: The name of the vertical axis.
        lines: The lines.
        low, high: The ends of the vertical axis, as text.
        left, right: The ends of the horizontal axis, as text.
        beyond: The most extreme values beyond the vertical axis, as texts with their marks.
        ticks: Texts below the horizontal axis with their positions, from 0 to 1, instead of those of its ends.
    """

    title: str
    lines: list[Line]
    low: str
    high: str
    left: str
    right: str
    beyond: list[str]
    ticks: list[tuple[float, str]]

    @property
    def readout(self) -> list[dict[str, Any]]:
        """The values of the lines, for the script that shows those at the pointer."""
        return [{"label": line.label, "style": line.style, "points": line.points} for line in self.lines]

    @property
    def description(self) -> str:
        """The chart in words, for screen readers."""
        ends = "; ".join(f"{line.label} ends at {line.last}" for line in self.lines)
        beyond = "".join(f"; {text}" for text in self.beyond)
        return f"{self.title}, {self.left} to {self.right}, between {self.low} and {self.high}: {ends}{beyond}"


def build_chart(
    title: str,
    curves: Mapping[tuple[str, str], Curve],
    unit: str,
    low: float | None = None,
    logarithmic: bool = False,
    bands: Mapping[tuple[str, str], Band] | None = None,
    ticks: Mapping[float, str] | None = None,
    dotted: Collection[tuple[str, str]] = (),
) -> Chart:
    """Build a chart of curves.

    Args:
        title: The name of the vertical axis.
        curves: Curves of one or more points, by label and style. No value is NaN.
        unit: The unit of the horizontal axis: ``step`` gives ``step 40``.
        low: The lower end of the vertical axis; None for the smallest value.
        logarithmic: Whether the vertical axis is logarithmic.
        bands: Confidence intervals, by the keys of their curves.
        ticks: Texts at positions on the horizontal axis.
        dotted: The keys of curves that are drawn as dots, without a line.
    """
    bands, ticks = bands or {}, ticks or {}
    thinned = {key: _thin(curve) for key, curve in curves.items()}
    scale = math.log if logarithmic else float
    values = [value for curve in thinned.values() for _, value in curve]
    ends_of_bands = [end for band in bands.values() for _, *ends in band for end in ends]
    axis = Axis.fit(map(scale, [*values, *ends_of_bands]))
    if low is not None:
        axis = replace(axis, low=scale(low))
    steps = [position for curve in thinned.values() for position, _ in curve]
    across = Axis(min(steps), max(steps))

    def path(curve: Curve, is_dotted: bool = False) -> str:
        points = [
            f"{WIDTH * across.position(position):.0f} {HEIGHT * (1 - axis.position(scale(value))):.1f}"
            for position, value in curve
        ]
        # With round caps, a line without length is a dot.
        if is_dotted or len(points) == 1:
            return "".join(f"M{point}h0" for point in points)
        return f"M{'L'.join(points)}"

    def band_path(band: Band) -> str:
        upper = [(position, high) for position, _, high in band]
        lower = [(position, low) for position, low, _ in band]
        return f"{path([*upper, *reversed(lower)])}Z" if band else ""

    def marks(curve: Curve) -> list[Mark]:
        marked = ((axis.mark(scale(value)), position) for position, value in curve)
        return [Mark(mark, across.position(position)) for mark, position in marked if mark]

    def points(curve: Curve) -> Points:
        return [
            (
                round(WIDTH * across.position(position)),
                round(HEIGHT * (1 - axis.position(scale(value)))),
                f"{unit} {ticks.get(position, f'{position:g}')}",
                format_number(value),
            )
            for position, value in curve
        ]

    ends = ((max, ABOVE), (min, BELOW))
    extremes = [(mark, end(values)) for end, mark in ends if axis.mark(scale(end(values))) == mark]
    bottom, top = (math.exp(end) if logarithmic else end for end in (axis.low, axis.high))
    return Chart(
        title,
        [
            Line(
                *key,
                path(curve, key in dotted),
                format_number(curves[key][-1][1]),
                marks(curve),
                points(curve),
                band_path(bands.get(key, [])),
            )
            for key, curve in thinned.items()
        ],
        format_number(bottom),
        format_number(top),
        f"{unit} {ticks.get(across.low, f'{across.low:g}')}",
        f"{unit} {ticks.get(across.high, f'{across.high:g}')}",
        [f"{mark} up to {format_number(value)}" for mark, value in extremes],
        [(across.position(position), text) for position, text in ticks.items()],
    )


def format_number(value: float) -> str:
    """Format a number with four significant digits."""
    return f"{value:.4g}"


def _thin(curve: Curve) -> Curve:
    if len(curve) <= _POINTS:
        return curve
    bounds = [len(curve) * part // _POINTS for part in range(_POINTS + 1)]
    parts = [curve[start:end] for start, end in pairwise(bounds)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]
