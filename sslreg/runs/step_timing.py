"""The time that the phases of a training take, as measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The phases of a step, in order. ``transfer`` includes the part of the views that an accelerator makes, ``optimizer``
#: clipping and what the model does before and after a step, ``logging`` also the progress and the watch for collapse,
#: ``other`` Lightning and the callbacks of the spec.
STEP_PHASES = ("waiting", "transfer", "forward", "loss", "backward", "optimizer", "logging", "other")
#: The phases apart from steps. ``startup`` is what happens until the first batch is trained.
APART_PHASES = ("startup", "evaluation", "checkpoints")


@dataclass(frozen=True)
class StepTiming:
    """The time of a training in one process, the first of several.

    Attributes:
        seconds: The seconds of each phase in `STEP_PHASES` and `APART_PHASES`.
        batches: The number of batches in the seconds of the steps.
        accumulated_batches: The number of batches in a step.
        batch_size: The number of images in a batch, over all processes.
        steps_per_epoch: The number of steps in an epoch.
        processes: The number of processes that train.
        device: The type of the device, such as ``cuda``.
        workers: The number of processes that load for this one.
        cores: The number of cores for this process and its workers.
        threads: The number of threads with which this process computes on the CPU.
        view_size: The height and width of the largest view, None if unknown.
        loaded_batches: The number of batches in `loading_seconds`.
        loading_seconds: The seconds of ``reading``, ``decoding`` and ``views`` in the process that loads.
        loading_counts: The counts of `sslreg.assembly.loading_times.LoadingTimes`.
        checkpoints: The number of checkpoints in their seconds.
        evaluations: How often evaluators ran in their seconds.
    """

    seconds: Mapping[str, float]
    batches: int
    accumulated_batches: int = 1
    batch_size: int = 1
    steps_per_epoch: int = 1
    processes: int = 1
    device: str = "cpu"
    workers: int = 0
    cores: int = 1
    threads: int = 1
    view_size: int | None = None
    loaded_batches: int = 0
    loading_seconds: Mapping[str, float] = field(default_factory=dict)
    loading_counts: Mapping[str, int] = field(default_factory=dict)
    checkpoints: int = 0
    evaluations: int = 0

    @property
    def shares(self) -> dict[str, float]:
        """The share of each phase that occurred in the time of all phases; they add up to 1."""
        total = sum(self.seconds.values())
        phases = [phase for phase in (*STEP_PHASES, *APART_PHASES) if self.seconds.get(phase, 0.0) > 0]
        return {phase: self.seconds[phase] / total for phase in phases}

    def batch_seconds(self, *phases: str) -> float:
        """Return the seconds of some phases of a step in a batch, by default of all."""
        seconds = sum(self.seconds.get(phase, 0.0) for phase in phases or STEP_PHASES)
        return seconds / self.batches if self.batches else 0.0

    def step_share(self, *phases: str) -> float:
        """Return the share of some phases in the time of a step."""
        return self.batch_seconds(*phases) / (self.batch_seconds() or 1.0)

    @property
    def step_shares(self) -> dict[str, float]:
        """The share of each phase that occurred in the time of a step; they add up to 1."""
        return {phase: share for phase in STEP_PHASES if (share := self.step_share(phase)) > 0}

    @property
    def step_seconds(self) -> float:
        """The seconds of a step, without evaluations and checkpoints."""
        return self.batch_seconds() * self.accumulated_batches

    @property
    def step_seconds_without_waiting(self) -> float:
        """The seconds that a step would take if data were free."""
        return self.step_seconds - self.batch_seconds("waiting") * self.accumulated_batches

    @property
    def images_per_second(self) -> float:
        """The images per second of all processes, without evaluations and checkpoints."""
        seconds = self.batch_seconds()
        return self.batch_size / seconds if seconds else 0.0

    @property
    def loading_batch_seconds(self) -> float:
        """The seconds in which a process loads a batch; 0 if none was measured."""
        return sum(self.loading_seconds.values()) / self.loaded_batches if self.loaded_batches else 0.0

    @property
    def loading_shares(self) -> dict[str, float]:
        """The share of each part of loading."""
        total = sum(self.loading_seconds.values()) or 1.0
        return {phase: seconds / total for phase, seconds in self.loading_seconds.items()}

    @property
    def loader_images_per_second(self) -> float | None:
        """The images per second that the loaders of all processes would give alone; None if nothing was measured."""
        seconds = self.loading_batch_seconds
        return self.batch_size * max(1, self.workers) / seconds if seconds else None
