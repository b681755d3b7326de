"""What contrastive losses share: their options, their rows and positives, and the sum over their negatives."""

from __future__ import annotations

import math
from functools import reduce
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg import distributed
from sslreg_losses._autograd import log_sum_exp_across, log_sum_exp_within
from sslreg_losses._unit_norm import unit_rows

Negatives = Literal["batch", "bank", "both"]
Temperature = Annotated[float, Field(ge=1e-8, allow_inf_nan=False)]


class ContrastiveLoss(sslreg.Loss):
    """Base of the losses that contrast a sample's other views with negatives from the batch, a bank or both.

    temperature: what cosine similarities are divided by.
    memory_bank: holds keys of past batches, to which those of this batch are added while it is trained on.
    gather_distributed: take the batches of all processes for the batch. Every process returns the mean over its own
        rows, and an embedding's gradient is summed over the processes' losses: DDP's average of the parameters'
        gradients is then exactly the gradient of one process that has the whole batch.
    negatives: from the batch, the bank or both; by default the bank if there is one, else the batch.
    symmetric: compare every view with the others. If not, the first view alone is compared: its candidates, and what a
        bank is given, are the other views. By default a loss is symmetric unless it has a bank.

    ValueError: a parameter, or views whose shapes do not fit. `sslreg.SslregError`: embeddings that are not finite,
    processes that gather batches of different sizes, a second derivative.
    """

    def __init__(
        self,
        temperature: Temperature = 0.5,
        memory_bank: sslreg.MemoryBank | None = None,
        gather_distributed: bool = False,
        negatives: Negatives | None = None,
        symmetric: bool | None = None,
    ) -> None:
        super().__init__()
        if not 1e-8 <= temperature < math.inf:
            raise ValueError(f"temperature must be a finite number above 0, and 1e-8 at least, not {temperature}")
        if negatives not in (None, "batch", "bank", "both"):
            raise ValueError(f"negatives must be batch, bank or both, not {negatives!r}")
        if memory_bank is None and negatives in ("bank", "both"):
            raise ValueError(f"negatives: {negatives} needs a memory_bank")
        if memory_bank is not None and negatives == "batch":
            raise ValueError("a memory_bank is of no use with negatives: batch; say bank or both")
        self.temperature = temperature
        self.memory_bank = memory_bank
        self.gather_distributed = gather_distributed
        self.negatives = negatives or ("batch" if memory_bank is None else "bank")
        self.symmetric = memory_bank is None if symmetric is None else symmetric

    def unit_views(self, views: tuple[Tensor, ...]) -> Tensor:
        """V >= 2 views (N, D) as unit vectors z (V, N, D)."""
        if len(views) < 2:
            raise ValueError(f"a contrastive loss compares at least two views, not {len(views)}")
        shapes = [tuple(view.shape) for view in views]
        if len(set(shapes)) > 1 or len(shapes[0]) != 2 or 0 in shapes[0]:
            raise ValueError(f"views must be of one shape (N, D), N and D above 0, not {', '.join(map(str, shapes))}")
        return unit_rows(torch.stack(views))

    def compare(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compare each row of z (V, N, D), or of its first view alone, with its positives and its negatives.

        Returns the logits of the positives, which are the sample's other views, (R, V-1), and the log-sum-exp of the
        logits of the negatives, (R,): -inf for a lone sample that has no bank, or an empty one.
        """
        rows = z if self.symmetric else z[:1]
        # Not a matrix product, whose backward pass would be at the mercy of autocast and of TF32.
        similarity = [[(row * other).sum(1) for w, other in enumerate(z) if w != v] for v, row in enumerate(rows)]
        positives = torch.cat([torch.stack(of_view, 1) for of_view in similarity]) / self.temperature
        return positives, self._log_negatives(rows.flatten(0, 1), z if self.symmetric else z[1:])

    def _log_negatives(self, rows: Tensor, key_views: Tensor) -> Tensor:
        keys, samples = key_views.flatten(0, 1), key_views.shape[1]
        parts: list[Tensor] = []
        if self.negatives != "bank":
            if samples > 1 and self.symmetric:
                parts.append(log_sum_exp_within(rows, self.temperature, samples))
            elif samples > 1:
                parts.append(log_sum_exp_across(rows, keys, self.temperature, samples))
            if self.gather_distributed and distributed.world_size() > 1:
                parts.append(log_sum_exp_across(rows, _rows_of_other_processes(keys), self.temperature))
        if self.memory_bank is not None:
            past = self.memory_bank.negatives()
            if past.shape[1] != rows.shape[1]:
                raise ValueError(f"the memory bank has dim {past.shape[1]}, and the embeddings have {rows.shape[1]}")
            if len(past):
                parts.append(log_sum_exp_across(rows, past, self.temperature))
            if rows.requires_grad:
                # By sample, so that several processes enqueue in the order of one that has all samples.
                self.memory_bank.enqueue(key_views.transpose(0, 1).flatten(0, 1))
        return reduce(torch.logaddexp, parts) if parts else rows.new_full((len(rows),), -math.inf)


def _rows_of_other_processes(rows: Tensor) -> Tensor:
    everyone, first = distributed.gather_rows(rows), distributed.rank() * len(rows)
    return torch.cat([everyone[:first], everyone[first + len(rows) :]])
