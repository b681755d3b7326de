"""The time of a step in a terminal of 80 columns, and the sentences about it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from sslreg.cli.timing_table import describe_conclusions, describe_loading, tabulate_step
from sslreg.runs.bottlenecks import report_timing
from sslreg.runs.step_timing import STEP_PHASES, StepTiming
from sslreg.spec import parse_spec


@pytest.fixture
def report(tiny_spec: str) -> Any:
    """Report on four batches of a second each, with other facts."""

    def report(**facts: Any) -> dict[str, Any]:
        measured = {"seconds": dict.fromkeys(STEP_PHASES, 0.5), "batches": 4, "batch_size": 64} | facts
        return report_timing(StepTiming(**measured), parse_spec(tiny_spec, "tiny.yaml"))

    return report


def test_each_phase_has_a_row_in_80_columns(report) -> None:
    output = io.StringIO()
    Console(file=output, width=80).print(tabulate_step(report()))
    lines = output.getvalue().splitlines()
    assert len(lines) == 1 + len(STEP_PHASES)
    assert lines[1].split() == ["waiting", "for", "data", "12.5%", "125", "ms"]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("workers", "where", "rate"),
    [(0, "in the training process", 32), (1, "in the worker", 32), (3, "in each of the 3 workers", 96)],
)
def test_loading_is_described_where_it_happens(report, workers: int, where: str, rate: int) -> None:
    loading = {"loaded_batches": 2, "loading_seconds": {"reading": 1.0, "decoding": 3.0, "views": 0.0}}
    assert describe_loading(report(workers=workers, **loading)) == [
        f"loading a batch {where} takes 2 s: reading 25%, decoding 75%, views 0%",
        f"training takes 64 images/s; loading alone could give {rate}",
    ]


def test_loading_that_was_not_measured_is_not_described(report) -> None:
    assert describe_loading(report()) == []


def test_the_most_useful_advice_comes_first(report) -> None:
    slow = report(seconds={"forward": 1.0, "loss": 6.0, "optimizer": 3.0}, steps_per_epoch=9)
    summary, first, second = describe_conclusions(slow)
    assert summary == "forward, loss and backward take 70% of a step, and optimizer 30%"
    assert first.startswith("to change: loss (nt_xent) takes 60% of a step")
    assert "data.batch_size: 128 instead of 64" in second
    assert describe_conclusions(slow, most=1) == [summary, first]


def test_without_advice_that_is_said_unless_nothing_was_measured(report) -> None:
    assert describe_conclusions(report(seconds={"forward": 4.0}))[1:] == [
        "nothing that sslreg knows would save more than 5%"
    ]
    assert describe_conclusions(report(batches=0)) == ["too few steps to measure their time"]
