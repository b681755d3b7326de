"""Waiting for batches is measured, and the batches are as before."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from sslreg.assembly.loading_times import LoadingTimes, MeasuredBatch
from sslreg.training.measured_data_loader import MeasuredDataLoader
from sslreg.training.step_times import StepTimes


def slow(numbers: list[int]) -> Any:
    time.sleep(0.01)
    if 6 in numbers:
        return "an error in place of a batch"
    return MeasuredBatch(torch.tensor(numbers), LoadingTimes(1))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_without_their_times(workers: int) -> None:
    times = StepTimes()
    loader = MeasuredDataLoader(list(range(8)), batch_size=2, num_workers=workers, collate_fn=slow, times=times)
    *batches, last = loader
    assert [batch.tolist() for batch in batches] == [[0, 1], [2, 3], [4, 5]]
    assert last == "an error in place of a batch"
    assert times.loading.batches == 3
    assert times.clock.take()["waiting"] >= 0.02


def test_the_phase_before_returns_when_a_batch_is_there() -> None:
    times = StepTimes()
    times.clock.switch("logging")
    for _ in MeasuredDataLoader(list(range(4)), batch_size=2, collate_fn=slow, times=times):
        assert times.clock.switch("logging") == "logging"
