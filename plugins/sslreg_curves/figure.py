"""Curves as a figure that any browser shows."""

from __future__ import annotations

from html import escape

from sslreg_curves.metrics import Curve

WIDTH, HEIGHT, MARGIN = 640, 120, 28


def svg(curves: dict[str, Curve]) -> str:
    """One panel for each figure, above each other, over the steps; a panel's own extremes are its bounds."""
    last = max(curve[-1][0] for curve in curves.values())
    panels = "\n".join(_panel(name, curve, last, number) for number, (name, curve) in enumerate(curves.items()))
    height = len(curves) * (HEIGHT + MARGIN)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n{panels}\n</svg>\n'
    )


def _panel(name: str, curve: Curve, last: int, number: int) -> str:
    top = number * (HEIGHT + MARGIN) + MARGIN
    values = [value for _, value in curve]
    low, high = min(values), max(values)
    places = [(WIDTH * step / max(last, 1), top + HEIGHT * (1 - _share(value, low, high))) for step, value in curve]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    # A line of one point is invisible.
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="steelblue"/>' for x, y in places[-1:])
    return (
        f'<text x="4" y="{top - 8}">{escape(name)}: {values[-1]:.4g} at step {curve[-1][0]}, '
        f"from {low:.4g} to {high:.4g}</text>\n"
        f'<polyline points="{points}" fill="none" stroke="steelblue" stroke-width="1.5"/>{dots}'
    )


def _share(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, from 0 to 1."""
    return (value - low) / (high - low) if high > low else 0.5
