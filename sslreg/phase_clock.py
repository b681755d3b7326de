"""The time that the phases of a work take. Imports no torch."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext


class PhaseClock:
    """A clock that is in one phase at a time, or in none. A phase within another one interrupts it.

    So each moment counts once, and the seconds of all phases add up to the time in which the clock ran.
    """

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()
        self._phase: str | None = None
        self._start = 0.0

    def switch(self, phase: str | None) -> str | None:
        """End the current phase, start another, and return the one that ended. None is no phase."""
        now = time.perf_counter()
        ended, self._phase = self._phase, phase
        if ended is not None:
            self._seconds[ended] += now - self._start  # type: ignore[assignment]  # a Counter of seconds
        self._start = now
        return ended

    def measure(self, phase: str) -> AbstractContextManager[None]:
        """Return a context that is in a phase and then returns to the phase before."""
        return _Phase(self, phase)

    def take(self, *, wait: bool = False) -> Counter[str]:
        """Return the seconds of each phase since the last call.

        Args:
            wait: Whether a clock of a device waits for the device. Otherwise it returns what the device has done.
        """
        self.switch(self._phase)
        seconds, self._seconds = self._seconds, Counter()
        return seconds


class _Phase(AbstractContextManager[None]):
    """A phase of a clock. A class, because a generator takes three times as long, per image."""

    __slots__ = ("_before", "_clock", "_phase")

    def __init__(self, clock: PhaseClock, phase: str) -> None:
        self._clock, self._phase = clock, phase

    def __enter__(self) -> None:
        self._before = self._clock.switch(self._phase)

    def __exit__(self, *_: object) -> None:
        self._clock.switch(self._before)


class LoadingClock(PhaseClock):
    """The clock of a process that loads a batch.

    Attributes:
        counts: How often things occurred, and sums of sizes, by their names.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()


_IDLE = nullcontext()
_of_thread = threading.local()


@contextmanager
def loading_clock() -> Iterator[LoadingClock]:
    """Have `measure_loading` and `count_loading` of this thread use a new clock within the block."""
    before, clock = getattr(_of_thread, "clock", None), LoadingClock()
    _of_thread.clock = clock
    try:
        yield clock
    finally:
        _of_thread.clock = before


def measure_loading(phase: str) -> AbstractContextManager[None]:
    """Return a context that is in a phase of loading. It costs nothing where nobody measures."""
    clock: LoadingClock | None = getattr(_of_thread, "clock", None)
    return _IDLE if clock is None else clock.measure(phase)


def count_loading(name: str, count: int = 1) -> None:
    """Add to a count of loading, where somebody measures."""
    clock: LoadingClock | None = getattr(_of_thread, "clock", None)
    if clock is not None:
        clock.counts[name] += count
