"""Lines over an axis, as figures that stretch to any width."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from sslreg.report.reported_runs import Curve

#: The inner size of a chart; the page stretches it, so these are resolutions and not pixels.
WIDTH, HEIGHT = 1000, 300

#: Longer courses are shown by the means of so many equal parts.
_POINTS = 400


@dataclass(frozen=True)
class Line:
    """One course. style: names its color. path: of an SVG. last: its last value, as text."""

    label: str
    style: str
    path: str
    last: str


@dataclass(frozen=True)
class Chart:
    """A figure's courses on common axes, whose ends are texts."""

    title: str
    lines: list[Line]
    low: str
    high: str
    left: str
    right: str

    @property
    def described(self) -> str:
        """For those who do not see it."""
        ends = "; ".join(f"{line.label} ends at {line.last}" for line in self.lines)
        return f"{self.title}, {self.left} to {self.right}, between {self.low} and {self.high}: {ends}"


def chart(
    title: str, curves: Mapping[tuple[str, str], Curve], unit: str, low: float | None = None, logarithmic: bool = False
) -> Chart:
    """Curves by label and style, each of at least one point. unit: of the horizontal axis, as in ``step 40``.

    low: where the vertical axis begins; None is the lowest value. logarithmic: whether that axis is.
    """
    thinned = {key: _thinned(curve) for key, curve in curves.items()}
    places = [place for curve in thinned.values() for place, _ in curve]
    values = [value for curve in thinned.values() for _, value in curve]
    bottom, top = min(values) if low is None else low, max(values)
    left, right = min(places), max(places)

    def height(value: float) -> float:
        if logarithmic:
            return _share(math.log(max(value, bottom)), math.log(bottom), math.log(top))
        return _share(value, bottom, top)

    def path(curve: Curve) -> str:
        points = [
            f"{WIDTH * _share(place, left, right):.0f} {HEIGHT * (1 - height(value)):.1f}" for place, value in curve
        ]
        # A line of no length is a dot where its caps are round.
        return f"M{'L'.join(points)}" + ("h0" if len(points) == 1 else "")

    return Chart(
        title,
        [Line(*key, path(curve), number(curves[key][-1][1])) for key, curve in thinned.items()],
        number(bottom),
        number(top),
        f"{unit} {left:g}",
        f"{unit} {right:g}",
    )


def number(value: float) -> str:
    """A number as a person writes it."""
    return f"{value:.4g}"


def _share(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, from 0 to 1."""
    return (value - low) / (high - low) if high > low else 0.5


def _thinned(curve: Curve) -> Curve:
    if len(curve) <= _POINTS:
        return curve
    bounds = [len(curve) * part // _POINTS for part in range(_POINTS + 1)]
    parts = [curve[start:end] for start, end in pairwise(bounds)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]
