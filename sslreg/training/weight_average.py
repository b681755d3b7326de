"""An exponential moving average of a model's weights: ``engine.ema`` of the spec."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sslreg.contracts import MemoryBank, Model


class WeightAverage(nn.Module):
    """A second model whose weights follow those of the first.

    At step n = 0, 1, … the average a of the weights w becomes d a + (1 - d) w, where d is the smaller of `decay` and
    (1 + n) / (10 + n). The random initial weights are then soon forgotten, also in a short run (as in
    tf.train.ExponentialMovingAverage). The running statistics of batch normalization are averaged like the weights that
    they belong to; integers are copied. Memory banks are no weights: both models share them.
    """

    def __init__(self, model: Model, decay: float) -> None:
        super().__init__()
        modules = model.named_modules(remove_duplicate=False)
        banks = {name: module for name, module in modules if isinstance(module, MemoryBank)}
        self.model: Model = copy.deepcopy(model, {id(bank): bank for bank in banks.values()}).requires_grad_(False)
        self.decay = decay
        self._bank_prefixes = tuple(f"{name}." for name in banks)

    @torch.no_grad()
    def update(self, model: Model, steps: int) -> None:
        """Move the average towards the weights of `model`.

        Args:
            model: The model that is trained.
            steps: The number of optimizer steps before the one that led to these weights.
        """
        averages, weights = self._averaged_state(self.model), self._averaged_state(model)
        floating = [name for name, value in averages.items() if value.is_floating_point()]
        decay = min(self.decay, (1 + steps) / (10 + steps))
        update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        update([averages[name] for name in floating], [weights[name] for name in floating], None)
        for name in averages.keys() - floating:
            averages[name].copy_(weights[name])

    def _averaged_state(self, model: Model) -> dict[str, Tensor]:
        """Return the state of a model without its memory banks."""
        return {name: value for name, value in model.state_dict().items() if not name.startswith(self._bank_prefixes)}
