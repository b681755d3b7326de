"""Each moment counts in one phase."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import suppress

import pytest

from sslreg.phase_clock import PhaseClock, count_loading, loading_clock, measure_loading


@pytest.fixture(autouse=True)
def one_second_per_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second pass between two readings of the clock."""
    seconds = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(seconds)))


def test_a_phase_within_another_interrupts_it() -> None:
    clock = PhaseClock()
    with clock.measure("forward"), clock.measure("loss"):
        pass
    assert clock.take() == {"forward": 2, "loss": 1}


def test_no_phase_counts_nothing() -> None:
    clock = PhaseClock()
    clock.switch("other")
    clock.switch(None)
    clock.switch(None)
    with clock.measure("evaluation"):
        pass
    assert clock.take() == {"other": 1, "evaluation": 1}
    assert clock.take() == {}


def test_the_time_so_far_of_a_running_phase_is_taken_once() -> None:
    clock = PhaseClock()
    clock.switch("other")
    assert clock.take() == {"other": 1}
    assert clock.take() == {"other": 1}


def test_an_outer_phase_ends_phases_that_an_error_left_open() -> None:
    clock = PhaseClock()
    clock.switch("other")
    with suppress(ValueError), clock.measure("forward"):
        clock.switch("loss")
        raise ValueError
    assert clock.switch(None) == "other"


def test_loading_is_measured_where_somebody_asks_for_it() -> None:
    with measure_loading("reading"):
        count_loading("images")
    with loading_clock() as clock:
        with measure_loading("reading"):
            count_loading("images", 3)
        others = threading.Thread(target=count_loading, args=("images",))
        others.start()
        others.join()
    with measure_loading("reading"):
        count_loading("images")
    assert (clock.take(), clock.counts) == ({"reading": 1}, {"images": 3})
