"""The time that the parts of a training take in this process, and in the workers that load its batches."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

import torch

from sslreg.assembly.loading_times import LoadingTimes
from sslreg.phase_clock import PhaseClock
from sslreg.runs.step_timing import APART_PHASES


class CudaPhaseClock(PhaseClock):
    """A clock in the timeline of the current CUDA stream, which runs behind the host.

    A phase begins and ends with an event in the stream. The host does not wait for events: it reads those that have
    passed. A phase in which the device waits for the host, such as for data, counts as long as the device waits.
    """

    def __init__(self) -> None:
        super().__init__()
        self._marks: deque[tuple[str | None, torch.cuda.Event]] = deque()

    def switch(self, phase: str | None) -> str | None:
        ended, self._phase = self._phase, phase
        if phase != ended:
            self._record()
        return ended

    def _record(self) -> None:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        self._marks.append((self._phase, event))

    def take(self, *, wait: bool = False) -> Counter[str]:
        if wait:
            self._record()
            self._marks[-1][1].synchronize()
        while len(self._marks) > 1 and self._marks[1][1].query():  # type: ignore[no-untyped-call]
            (phase, start), (_, end) = self._marks.popleft(), self._marks[0]
            if phase is not None:
                self._seconds[phase] += start.elapsed_time(end) / 1000
        seconds, self._seconds = self._seconds, Counter()
        return seconds


@dataclass
class StepTimes:
    """The times of a training so far, also of its parts before it was resumed.

    What happens until the first batch is trained, in each part of a run, is the phase ``startup``: workers start,
    kernels and networks are compiled. Evaluations and checkpoints are phases of their own at any time.

    Attributes:
        clock: The clock of this process. Its phases are those of `sslreg.runs.step_timing`.
        seconds: The seconds of each phase.
        batches: The number of batches trained in these seconds, without the first one of each part.
        loading: The times in the processes that load.
        checkpoints: The number of checkpoints written.
        evaluations: How often evaluators ran.
    """

    clock: PhaseClock = field(default_factory=PhaseClock)
    seconds: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    loading: LoadingTimes = field(default_factory=LoadingTimes)
    checkpoints: int = 0
    evaluations: int = 0
    _is_warm: bool = False

    @classmethod
    def on(cls, device: torch.device) -> StepTimes:
        """Return the times of a training on a device."""
        return cls(CudaPhaseClock() if device.type == "cuda" else PhaseClock())

    def collect(self, *, wait: bool = False) -> None:
        """Add what the clock has measured; with `wait`, after waiting for the device."""
        for phase, seconds in self.clock.take(wait=wait).items():
            counted = phase if self._is_warm or phase in APART_PHASES else "startup"
            self.seconds[counted] += seconds

    def end_batch(self) -> None:
        """Count a batch that is trained."""
        if self._is_warm:
            self.batches += 1
        self.collect(wait=not self._is_warm)
        self._is_warm = True

    @property
    def step_seconds(self) -> float:
        """The seconds in which `batches` were trained, without evaluations and checkpoints."""
        return sum(seconds for phase, seconds in self.seconds.items() if phase not in APART_PHASES)

    @property
    def waiting_share(self) -> float:
        """The share of `step_seconds` in which the training waits for data, between 0 and 1."""
        seconds = self.step_seconds
        return self.seconds["waiting"] / seconds if seconds else 0.0
