"""The cosine learning-rate schedule."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import sslreg


@sslreg.enforce_bounds
class CosineWithWarmup(LRScheduler):
    """A linear warm-up, then half a cosine (arXiv 1608.03983, equation 5, without restarts), updated every step.

    In a warm-up of W steps, step t = 0, 1, … has the learning rate times s + (1 - s) (t + 1) / W, with s the
    `warmup_start_factor`; the last of them has the full rate. From step W on, the rate follows the cosine from the full
    rate to `eta_min`, which the last step of the run has. Call ``step`` once after each optimizer step.

    A state dict holds only the position, so a resumed run may have another length.

    Args:
        warmup_epochs: The length of the warm-up, 0 for none; fractions of an epoch are rounded to steps.
        warmup_start_factor: The start of the warm-up, as a share of the full rate.
        eta_min: The rate at the end, times the `lr_scale` of a parameter group, as in timm.

    Raises:
        ValueError: The warm-up is longer than the run.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: Annotated[int, sslreg.FromRun("total_steps")],
        steps_per_epoch: Annotated[int, sslreg.FromRun("steps_per_epoch")],
        warmup_epochs: Annotated[float, Field(ge=0)] = 0,
        warmup_start_factor: Annotated[float, Field(ge=0, le=1)] = 0.0,
        eta_min: Annotated[float, Field(ge=0)] = 0.0,
    ) -> None:
        self.total_steps = total_steps
        self.warmup_steps = round(warmup_epochs * steps_per_epoch)
        self.warmup_start_factor = warmup_start_factor
        self.eta_min = eta_min
        if self.warmup_steps > total_steps:
            raise ValueError(
                f"warmup_epochs: {warmup_epochs} is {self.warmup_steps} steps, but the whole run has {total_steps}; "
                "shorten the warm-up or lengthen the run"
            )
        super().__init__(optimizer)

    @staticmethod
    def least_epochs(warmup_epochs: float = 0, **_: Any) -> float:
        """Return the least number of epochs of a run with this schedule. `sslreg check` calls it without building."""
        return warmup_epochs

    def get_lr(self) -> list[float | Tensor]:
        """Return the learning rate of every group at the current step."""
        step = self.last_epoch
        if step < self.warmup_steps:
            factor = self.warmup_start_factor + (1 - self.warmup_start_factor) * (step + 1) / self.warmup_steps
            return [factor * base for base in self.base_lrs]
        # The last step is total_steps - 1. The training requests one more after it.
        span = self.total_steps - 1 - self.warmup_steps
        progress = min(1.0, (step - self.warmup_steps) / span) if span > 0 else 1.0
        height = (1 + math.cos(math.pi * progress)) / 2
        ends = [self.eta_min * group.get("lr_scale", 1.0) for group in self.optimizer.param_groups]
        return [end + (base - end) * height for base, end in zip(self.base_lrs, ends, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Return the position of the schedule and the rates that it scales."""
        return {name: self.__dict__[name] for name in ("last_epoch", "_step_count", "_last_lr", "base_lrs")}
