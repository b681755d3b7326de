"""The targets of DINO and iBOT: the output of the teacher, centered and sharpened."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softmax

import sslreg
from sslreg import distributed
from sslreg_losses._batch_statistics import promote


class CenteredSoftmax(nn.Module):
    """softmax((output - center) / temperature), where the center is a moving average of the output.

    DINO (arXiv 2104.14294), equation 4.

    Args:
        out_dim: The width K of the output.
        temperature: The temperature, which advances with each step.
        momentum: The share of the center that a step keeps, the paper's m.
    """

    center: Tensor

    def __init__(self, out_dim: int, temperature: sslreg.ScheduledValue, momentum: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.momentum = momentum
        self.register_buffer("center", torch.zeros(out_dim))
        self._staged: list[Tensor] = []

    def forward(self, output: Tensor) -> Tensor:
        """Return probabilities for the output (..., K), without a gradient, and stage its sum over all processes."""
        output = promote(output.detach())
        rows = output.flatten(end_dim=-2)
        self._staged.append(distributed.sum(torch.cat([rows.sum(dim=0), rows.new_tensor([len(rows)])])))
        return softmax((output - self.center) / self.temperature.value, dim=-1)

    def commit(self) -> None:
        """Move the center towards the mean of all rows since the last commit, if there are any, and count the step."""
        if self._staged:
            total = torch.stack(self._staged).sum(dim=0).to(self.center.dtype)
            count = total[-1]
            self.center.lerp_(total[:-1] / count.clamp_min(1), (1 - self.momentum) * count.clamp_max(1))
            self.temperature.advance()
        self._staged.clear()

    def discard(self) -> None:
        """Forget what was staged."""
        self._staged.clear()
