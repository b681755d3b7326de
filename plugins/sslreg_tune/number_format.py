"""Formats numbers with their intervals, by as many digits as the interval supports."""

from __future__ import annotations

import math

#: The digits of a number without an interval.
_DIGITS = 3


def format_level(value: float, half: float | None = None, digits: int | None = None) -> str:
    """Format a figure: ``0.71 ± .02``.

    Args:
        value: The figure.
        half: Half of the width of its interval; None or 0 without one.
        digits: The number of digits after the point; by default `count_digits`.
    """
    digits = count_digits(value, half) if digits is None else digits
    return _format_number(value, digits).replace("-", "−") + _format_half(half, digits)


def format_change(value: float, half: float | None = None) -> str:
    """Format a difference between figures: ``+.06 ± .02``, ``−.09 ± .03``.

    Args:
        value: The difference.
        half: Half of the width of its interval; None or 0 without one.
    """
    digits = count_digits(value, half)
    size = _format_number(abs(value), digits)
    sign = "" if not float(size) else "−" if value < 0 else "+"
    return sign + _drop_zero(size) + _format_half(half, digits)


def count_digits(value: float, half: float | None) -> int:
    """Return how many digits after the point to show: one significant one of the interval, two if it begins with 1."""
    if not half or not math.isfinite(half):
        return _DIGITS if abs(value) < 100 else 0
    exponent = math.floor(math.log10(half))
    return min(6, max(0, (half / 10.0**exponent < 1.5) - exponent))


def _format_number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if abs(value) < 1e6 else f"{value:.3g}"


def _format_half(half: float | None, digits: int) -> str:
    return f" ± {_drop_zero(_format_number(half, digits))}" if half else ""


def _drop_zero(text: str) -> str:
    return text.removeprefix("0") if text.startswith("0.") else text
