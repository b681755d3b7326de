"""The cosine schedule of the weight decay."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

from pydantic import Field
from torch.optim import Optimizer

import sslreg


@sslreg.enforce_bounds
class CosineWeightDecay:
    """Half a cosine from the optimizer's weight decay to another one, updated every step.

    Step t = 0, …, T - 1 of a run has the weight decay end + (start - end) (1 + cos(π t / (T - 1))) / 2. DINO raises the
    weight decay from 0.04 to 0.4 (arXiv 2104.14294, section 3.2). Parameter groups without weight decay, such as those
    of biases and normalization layers, keep 0. Call ``step`` once after each optimizer step.

    A state dict holds only the position, so a resumed run may have another length.

    Args:
        end: The weight decay of the last step, the same for every parameter group that has one.

    Raises:
        ValueError: The optimizer has no weight decay.
    """

    changes: ClassVar[str] = "weight_decay"

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: Annotated[int, sslreg.FromRun("total_steps")],
        end: Annotated[float, Field(ge=0)],
    ) -> None:
        self.optimizer = optimizer
        self.total_steps = total_steps
        self.end = end
        self.position = 0
        self.starts = [float(group.get("weight_decay", 0)) for group in optimizer.param_groups]
        if not any(self.starts):
            raise ValueError("the optimizer has no weight decay; set its weight_decay to the one of the first step")
        self._apply()

    def step(self) -> None:
        """Set the weight decay of the next step."""
        self.position += 1
        self._apply()

    def _apply(self) -> None:
        # The last step is total_steps - 1. The training requests one more after it.
        last = self.total_steps - 1
        height = (1 + math.cos(math.pi * min(1.0, self.position / last))) / 2 if last > 0 else 0.0
        for group, start in zip(self.optimizer.param_groups, self.starts, strict=True):
            if start:
                group["weight_decay"] = self.end + (start - self.end) * height

    def state_dict(self) -> dict[str, Any]:
        """Return the position of the schedule."""
        return {"position": self.position}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a position."""
        self.position = state_dict["position"]
        self._apply()
