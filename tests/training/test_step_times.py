"""The times of a training, on the host and in the timeline of a device."""

from __future__ import annotations

import time
from collections import Counter

import pytest
import torch

from sslreg.phase_clock import PhaseClock
from sslreg.training.step_times import CudaPhaseClock, StepTimes


class Measured(PhaseClock):
    """A clock that has measured what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.next: dict[str, float] = {}
        self.waited: list[bool] = []

    def take(self, *, wait: bool = False) -> Counter[str]:
        self.waited.append(wait)
        taken, self.next = Counter(self.next), {}
        return taken


def test_the_first_batch_is_startup_except_for_evaluations_and_checkpoints() -> None:
    clock = Measured()
    times = StepTimes(clock)
    clock.next = {"waiting": 5.0, "forward": 2.0, "checkpoints": 1.0, "evaluation": 3.0}
    times.end_batch()
    clock.next = {"waiting": 1.0, "forward": 3.0, "checkpoints": 1.0}
    times.end_batch()
    assert times.seconds == {"startup": 7, "waiting": 1, "forward": 3, "checkpoints": 2, "evaluation": 3}
    assert (times.batches, times.step_seconds, times.waiting_share) == (1, 4, 0.25)


def test_the_host_waits_for_the_device_after_the_first_batch_only() -> None:
    clock = Measured()
    times = StepTimes(clock)
    for _ in range(3):
        times.end_batch()
    assert clock.waited == [True, False, False]


def test_nothing_is_known_before_the_first_batch() -> None:
    assert StepTimes.on(torch.device("cpu")).waiting_share == 0
    assert type(StepTimes.on(torch.device("cpu")).clock) is PhaseClock


class Event:
    """An event in a stream that has reached a time."""

    reached = 0.0
    recorded = 0.0

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        Event.recorded += 1000.0
        self.at = Event.recorded

    def query(self) -> bool:
        return self.at <= Event.reached

    def synchronize(self) -> None:
        Event.reached = max(Event.reached, self.at)

    def elapsed_time(self, end: Event) -> float:
        assert end.query()
        return end.at - self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> PhaseClock:
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(Event, "reached", 0.0)
    monkeypatch.setattr(Event, "recorded", 0.0)
    return StepTimes.on(torch.device("cuda")).clock


def test_a_clock_of_a_device_reads_what_the_device_has_passed(clock: PhaseClock) -> None:
    assert isinstance(clock, CudaPhaseClock)
    clock.switch("forward")  # at 1 s
    clock.switch("backward")  # at 2 s
    clock.switch("other")  # at 3 s
    assert clock.take() == {}
    Event.reached = 2000.0
    assert clock.take() == {"forward": 1}
    Event.reached = 3000.0
    assert clock.take() == {"backward": 1}


def test_a_clock_of_a_device_waits_if_asked_to(clock: PhaseClock) -> None:
    with clock.measure("forward"), clock.measure("loss"):
        pass
    clock.switch("other")
    assert clock.take(wait=True) == {"forward": 2, "loss": 1, "other": 1}
    clock.switch(None)
    assert clock.take(wait=True) == {"other": 1}
    assert clock.take(wait=True) == {}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_waiting_counts_as_long_as_a_real_device_waits() -> None:
    clock = StepTimes.on(torch.device("cuda")).clock
    matrix = torch.rand(2048, 2048, device="cuda")
    with clock.measure("forward"):
        for _ in range(100):
            matrix = matrix @ matrix / 2048
    clock.take(wait=True)
    with clock.measure("waiting"):
        time.sleep(0.1)
    with clock.measure("forward"):
        matrix @ matrix
    measured = clock.take(wait=True)
    assert measured["waiting"] > 0.09
    assert 0 < measured["forward"] < measured["waiting"]
