"""Shares and times of the phases."""

from __future__ import annotations

import pytest

from sslreg.runs.step_timing import StepTiming

TIMING = StepTiming(
    {"startup": 2.0, "waiting": 1.0, "forward": 2.0, "backward": 3.0, "checkpoints": 2.0},
    batches=4,
    accumulated_batches=2,
    batch_size=30,
    processes=2,
    workers=3,
    loaded_batches=2,
    loading_seconds={"reading": 1.0, "decoding": 3.0},
)


def test_shares_add_up_to_one() -> None:
    assert TIMING.shares == {"waiting": 0.1, "forward": 0.2, "backward": 0.3, "startup": 0.2, "checkpoints": 0.2}
    assert TIMING.step_shares == pytest.approx({"waiting": 1 / 6, "forward": 2 / 6, "backward": 3 / 6})
    assert TIMING.loading_shares == {"reading": 0.25, "decoding": 0.75}


def test_a_step_has_all_of_its_batches() -> None:
    assert (TIMING.step_seconds, TIMING.step_seconds_without_waiting) == (3.0, 2.5)
    assert TIMING.images_per_second == 30 / 1.5


def test_all_workers_load_at_once() -> None:
    assert TIMING.loading_batch_seconds == 2.0
    assert TIMING.loader_images_per_second == 30 * 3 / 2.0


def test_without_measurements_there_is_nothing_to_divide_by() -> None:
    nothing = StepTiming({}, batches=0)
    assert (nothing.shares, nothing.step_shares, nothing.loading_shares) == ({}, {}, {})
    assert (nothing.step_seconds, nothing.images_per_second, nothing.loader_images_per_second) == (0, 0, None)
