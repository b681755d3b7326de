"""Axes on which extreme values do not flatten the others."""

from __future__ import annotations

import math
import random

import pytest

from sslreg import Axis

BIG = 1.7e308


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([0.0, 1.0, 5.0], (0.0, 5.0)),
        ([8.0, 2.0, 1.0, 0.9, 0.8, 0.79], (0.79, 8.0)),
        ([0.5, 0.5, 0.5, 0.6], (0.5, 0.6)),
        ([0.5, 0.5, 0.5, 1e30], (0.5, 1e30)),
        ([2.0, 3.0, 1e30], (2.0, 3.0)),
        ([2.0, 3.0, math.inf, math.nan, -math.inf], (2.0, 3.0)),
        ([-1e30, 2.0, 3.0, 1e30], (2.0, 3.0)),
        ([-BIG, 1.0, 2.0, 3.0, BIG], (1.0, 3.0)),
        ([1.0, 1.5, 2.0, 3.0, 2.5, 1.7, 1e30, 1e300], (1.0, 3.0)),
        ([-BIG, BIG], (0.0, 0.0)),
        ([-1e300, 1e300], (-1e300, 1e300)),
        ([7.0], (7.0, 7.0)),
        ([], (0.0, 0.0)),
        ([math.nan, math.inf], (0.0, 0.0)),
    ],
)
def test_the_range_leaves_out_few_values_that_flatten_the_others(
    values: list[float], ends: tuple[float, float]
) -> None:
    random.Random(0).shuffle(values)
    axis = Axis.fit(values)
    assert (axis.low, axis.high) == ends


def test_many_large_values_are_not_extreme() -> None:
    assert Axis.fit([1.0, 2.0, 1e9, 1e9, 1e9]).high == 1e9


def test_the_share_that_the_others_need_can_be_chosen() -> None:
    values = [0.0, 0.2, 0.5, 1.0, 9.0]
    assert Axis.fit(values).high == 9.0
    assert Axis.fit(values, least=0.2).high == 1.0


def test_a_value_beyond_the_range_is_at_the_end_with_a_mark() -> None:
    axis = Axis(0.0, 2.0)
    values = [-1e30, -1.0, 0.0, 1.0, 2.0, 2.0001, 3.0, math.inf]
    assert [axis.position(value) for value in values] == [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0]
    assert [axis.mark(value) for value in values] == ["▼", "▼", "", "", "", "", "▲", "▲"]


def test_the_largest_numbers_do_not_overflow() -> None:
    axis = Axis.fit([-1e300, 1e300])
    assert [axis.position(value) for value in (-BIG, 0.0, BIG, math.inf)] == [0.0, 0.5, 1.0, 1.0]
    assert [axis.mark(value) for value in (-BIG, -1e300, BIG, math.inf)] == ["▼", "", "▲", "▲"]


def test_blocks_are_levels_marks_and_gaps() -> None:
    assert Axis(0.0, 7.0).blocks([0, 1, 7, 8, -1, math.nan, -math.inf]) == "▁▂█▲▼ ▼"
    assert Axis(2.0, 2.0).blocks([2.0, 3.0]) == "▁▲"
