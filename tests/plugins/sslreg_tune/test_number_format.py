"""Numbers with as many digits as their intervals support."""

from __future__ import annotations

import math

import pytest

from sslreg_tune.number_format import format_change, format_level


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.71, 0.02, "0.71 ± .02"),
        (0.7123, 0.0142, "0.712 ± .014"),
        (0.7123, None, "0.712"),
        (0.7123, 0.0, "0.712"),
        (-3.25, 0.31, "−3.2 ± .3"),
        (35.2, 12.0, "35 ± 12"),
        (1e30, 1e29, "1e+30 ± 1e+29"),
        (0.5, math.inf, "0.500 ± inf"),
        (0.5, 1e-9, "0.500000 ± .000000"),
    ],
)
def test_a_figure_has_the_digits_of_its_interval(value: float, half: float | None, text: str) -> None:
    assert format_level(value, half) == text


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.06, 0.02, "+.06 ± .02"),
        (-0.09, 0.03, "−.09 ± .03"),
        (-0.004, 0.03, ".00 ± .03"),
        (1.5, 0.2, "+1.5 ± .2"),
        (-12.0, None, "−12.000"),
    ],
)
def test_a_change_has_a_sign(value: float, half: float | None, text: str) -> None:
    assert format_change(value, half) == text
