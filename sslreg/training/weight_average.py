"""An exponential moving average of a model's weights: ``engine.ema`` of the spec."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sslreg.contracts import MemoryBank, Model


class WeightAverage(nn.Module):
    """Holds a second model whose weights follow those of the first.

    At step n = 0, 1, … an average a of weights w becomes d a + (1 - d) w, d being the smaller of `decay` and
    (1 + n) / (10 + n): so that the start, which is random, is soon forgotten in a short run too (as
    tf.train.ExponentialMovingAverage has it). The running statistics of batch normalization are averaged as the
    weights are, which they then belong to; whole numbers are copied. Memory banks are no weights: both models have the
    same ones.
    """

    def __init__(self, model: Model, decay: float) -> None:
        super().__init__()
        banks = {name: module for name, module in model.named_modules() if isinstance(module, MemoryBank)}
        self.model: Model = copy.deepcopy(model, {id(bank): bank for bank in banks.values()}).requires_grad_(False)
        self.decay = decay
        self._banks = tuple(f"{name}." for name in banks)

    @torch.no_grad()
    def update(self, model: Model, steps: int) -> None:
        """Follow the weights. steps: how many the optimizer had taken before the one that led to them."""
        averages, weights = self._state(self.model), self._state(model)
        moving = [name for name, value in averages.items() if value.is_floating_point()]
        decay = min(self.decay, (1 + steps) / (10 + steps))
        follow = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        follow([averages[name] for name in moving], [weights[name] for name in moving], None)
        for name in averages.keys() - moving:
            averages[name].copy_(weights[name])

    def _state(self, model: Model) -> dict[str, Tensor]:
        return {name: value for name, value in model.state_dict().items() if not name.startswith(self._banks)}
