"""What contrastive losses share: their options, their rows and positives, and the sum over their negatives."""

from __future__ import annotations

import math
from functools import reduce
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_losses._distributed import others_rows, world_size
from sslreg_losses._streaming import log_sum_exp_across, log_sum_exp_within
from sslreg_losses._unit import unit_rows

Negatives = Literal["batch", "bank", "both"]
Temperature = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def checked_temperature(temperature: float) -> float:
    """ValueError: no positive finite number."""
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(f"temperature must be a finite number above 0, not {temperature}")
    return temperature


def unit_views(views: tuple[Tensor, ...]) -> Tensor:
    """V >= 2 views (N, D) as unit vectors (V, N, D). ValueError: their shapes do not allow it."""
    if len(views) < 2:
        raise ValueError(f"a contrastive loss compares at least two views, not {len(views)}")
    shapes = [tuple(view.shape) for view in views]
    if len(set(shapes)) > 1 or len(shapes[0]) != 2 or 0 in shapes[0]:
        raise ValueError(f"the views must be non-empty and of one shape (N, D), not {' and '.join(map(str, shapes))}")
    return unit_rows(torch.stack(views))


class ContrastiveLoss(sslreg.Loss):
    """Base of the losses that contrast a sample's other views with negatives from the batch, a bank or both."""

    def __init__(
        self,
        temperature: float,
        memory_bank: sslreg.MemoryBank | None,
        gather_distributed: bool,
        negatives: Negatives | None,
        symmetric: bool | None,
    ) -> None:
        super().__init__()
        if negatives is None:
            negatives = "batch" if memory_bank is None else "bank"
        if (memory_bank is None) != (negatives == "batch"):
            raise ValueError(
                f"negatives: {negatives} needs a memory_bank"
                if memory_bank is None
                else "a memory_bank has no use with negatives: batch; say bank or both"
            )
        self.temperature = checked_temperature(temperature)
        self.memory_bank = memory_bank
        self.gather_distributed = gather_distributed
        self.negatives = negatives
        self.symmetric = memory_bank is None if symmetric is None else symmetric

    def compare(self, views: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The logits of the positives (R, V-1), and the log-sum-exp of the negatives' (R,), -inf where there are none.

        The rows are those of all V views, or of the first alone in a loss of one direction.
        """
        z = unit_views(views)
        similarity = torch.einsum("vnd,wnd->nvw", z if self.symmetric else z[:1], z) / self.temperature
        own = torch.eye(len(z), dtype=torch.bool, device=z.device)[: similarity.shape[1]]
        positives = similarity.transpose(0, 1)[~own[:, None].expand(-1, z.shape[1], -1)].view(-1, len(z) - 1)
        return positives, self._log_negatives(z)

    def _log_negatives(self, z: Tensor) -> Tensor:
        samples = z.shape[1]
        rows = z.flatten(0, 1) if self.symmetric else z[0]
        keys = rows if self.symmetric else z[1:].flatten(0, 1)
        parts = []
        if self.negatives != "bank":
            if samples > 1 and self.symmetric:
                parts.append(log_sum_exp_within(rows, self.temperature, samples))
            elif samples > 1:
                parts.append(log_sum_exp_across(rows, keys, self.temperature, samples))
            if self.gather_distributed and world_size() > 1:
                parts.append(log_sum_exp_across(rows, others_rows(keys), self.temperature))
        if self.memory_bank is not None:
            bank = self.memory_bank.negatives()
            if bank.shape[1] != rows.shape[1]:
                raise ValueError(f"the memory bank has dim {bank.shape[1]}, the embeddings have {rows.shape[1]}")
            if len(bank):
                parts.append(log_sum_exp_across(rows, bank.to(rows), self.temperature))
            if rows.requires_grad:
                self.memory_bank.enqueue(keys)
        return reduce(torch.logaddexp, parts) if parts else rows.new_full((len(rows),), -math.inf)
