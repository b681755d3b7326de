"""Numbers that change during a run: the optimizer steps so far, the momentum of a momentum encoder, a temperature."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class StepCounter(nn.Module):
    """The number of optimizer steps so far, which is part of the checkpoint.

    A model calls `advance` in `Model.after_step`, a loss in `Loss.commit`. A model that freezes a layer for the first
    epochs compares `step` with a multiple of ``Annotated[int, FromRun("steps_per_epoch")]`` in `Model.before_step`.

    Attributes:
        step: The number of steps. It is kept on the host, where reading it does not wait for a device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.step = 0

    def advance(self) -> None:
        """Count an optimizer step."""
        self.step += 1

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self.step)

    def set_extra_state(self, state: Tensor) -> None:
        self.step = int(state)


class ScheduledValue(StepCounter):
    """Base class of numbers that change with the optimizer steps.

    Args:
        start: The value before the first step.
        end: The value from step `steps` on.
        steps: The number of steps from start to end.

    Raises:
        ValueError: `steps` is negative.
    """

    def __init__(self, start: float, end: float, steps: int) -> None:
        super().__init__()
        if steps < 0:
            raise ValueError(f"steps is {steps}, but must be at least 0")
        self.start = start
        self.end = end
        self.steps = steps

    @property
    def value(self) -> float:
        """The value at the current step."""
        progress = 1.0 if self.step >= self.steps else self.step / self.steps
        return self.end + (self.start - self.end) * self.remaining(progress)

    def remaining(self, progress: float) -> float:
        """Return the share of the way from start to end that is left: 1 at progress 0, and 0 at progress 1."""
        raise NotImplementedError(f"{type(self).__name__} does not implement remaining(progress)")

    def extra_repr(self) -> str:
        return f"start={self.start}, end={self.end}, steps={self.steps}"


class CosineValue(ScheduledValue):
    """Half a cosine from `start` to `end`: end + (start - end) (1 + cos(pi step / steps)) / 2.

    With `start` 0.996, `end` 1 and the run's number of steps, it is the target momentum of BYOL (arXiv 2006.07733,
    section 3.3).
    """

    def remaining(self, progress: float) -> float:
        return (1 + math.cos(math.pi * progress)) / 2


class LinearValue(ScheduledValue):
    """A line from `start` to `end`, such as the warm-up of a temperature (DINO, arXiv 2104.14294, section 3.2)."""

    def remaining(self, progress: float) -> float:
        return 1 - progress
