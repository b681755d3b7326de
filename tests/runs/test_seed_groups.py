"""Runs that differ in nothing but their seeds are grouped and averaged; other differences are listed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from sslreg.runs.records import RunRecord
from sslreg.runs.seed_groups import average_metric, find_varying_values, group_by_seed


def record(number: int, **spec: Any) -> RunRecord:
    return RunRecord(Path(f"{number:04}"), "finished", {}, 0.0, spec=spec)


def test_runs_that_differ_only_in_the_seed_are_a_group() -> None:
    runs = [record(0, seed=0, lr=1), record(1, seed=0, lr=2), record(2, seed=1, lr=1), record(3, lr=2), record(4)]
    assert group_by_seed([*runs, record(5)]) == [[0, 2], [1, 3], [4], [5]]


def test_values_that_differ_are_listed_unless_they_are_lists_or_mappings() -> None:
    first = {"name": "a", "seed": 0, "loss": {"use": "x", "t": 1}, "views": [1], "data": {"n": 1}}
    runs = [
        record(0, **first),
        record(1, **first | {"name": "b", "loss": {"use": "x", "t": 2}}),
        record(2, **first | {"loss": {"use": "y"}, "views": [1, 2], "engine": {"ema": 0.9}}),
        record(3),
    ]
    assert find_varying_values(runs) == ["loss.t", "loss"]
    assert find_varying_values(runs[:1]) == find_varying_values(runs[3:]) == []


def test_the_interval_covers_the_seeds_and_the_test_images() -> None:
    own = [{"m": value, "m_ci": 0.03} for value in (0.1, 0.2, 0.3)]
    assert average_metric("m", own) == pytest.approx((0.2, math.hypot(0.03, 4.302653 * 0.1 / math.sqrt(3))))
    assert average_metric("m", own[:1]) == pytest.approx((0.1, 0.03))


def test_a_metric_without_an_interval_has_that_of_the_seeds() -> None:
    assert average_metric("m", [{"m": 1.0}, {"m": 2.0}, {}]) == pytest.approx((1.5, 12.7062 * 0.5), rel=1e-4)
    assert average_metric("m", [{"m": 1.0}]) == (1.0, None)
    assert average_metric("m", [{}]) is None
