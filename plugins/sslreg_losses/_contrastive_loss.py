"""The base class of contrastive losses: their parameters, logits of positives, and the sum over negatives."""

from __future__ import annotations

import math
from functools import reduce
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg import distributed
from sslreg_losses._log_sum_exp import log_sum_exp_across, log_sum_exp_within
from sslreg_losses._normalization import normalize_rows

Negatives = Literal["batch", "bank", "both"]
Temperature = Annotated[float, Field(ge=1e-8, allow_inf_nan=False)]


class ContrastiveLoss(sslreg.Loss):
    """Base class of losses that contrast a sample's other views with negatives from the batch, a bank or both.

    Args:
        temperature: What cosine similarities are divided by.
        memory_bank: Holds keys of past batches. The keys of a batch are added while the loss trains on it.
        gather_distributed: Use the batches of all processes as the batch. Every process returns the mean over its own
            rows, and the gradient of an embedding is summed over the processes' losses. DDP averages the gradients of
            parameters, which makes them exactly the gradients of one process that has the whole batch.
        negatives: Where negatives come from: ``batch``, ``bank`` or ``both``. By default the bank if there is one,
            otherwise the batch.
        symmetric: Compare every view with the others. If false, only the first view is compared: the other views are
            its candidates and the keys of a bank. By default true unless there is a bank.

    Raises:
        ValueError: A parameter is out of range, or the shapes of the views do not match.
        SslregError: Embeddings are not finite, processes gather batches of different sizes, or a second derivative is
            requested.
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
        if memory_bank is None and negatives in ("bank", "both"):
            raise ValueError(f"negatives: {negatives} needs a memory_bank")
        if memory_bank is not None and negatives == "batch":
            raise ValueError("negatives: batch does not use the memory_bank; choose bank or both")
        self.temperature = temperature
        self.memory_bank = memory_bank
        self.gather_distributed = gather_distributed
        self.negatives = negatives or ("batch" if memory_bank is None else "bank")
        self.symmetric = memory_bank is None if symmetric is None else symmetric

    def normalize_views(self, views: tuple[Tensor, ...]) -> Tensor:
        """Stack V >= 2 views (N, D) as unit vectors z (V, N, D)."""
        if len(views) < 2:
            raise ValueError(f"a contrastive loss compares at least two views, not {len(views)}")
        shapes = [tuple(view.shape) for view in views]
        if len(set(shapes)) > 1 or len(shapes[0]) != 2 or 0 in shapes[0]:
            raise ValueError(
                f"views must have the same shape (N, D), N and D above 0, not {', '.join(map(str, shapes))}"
            )
        return normalize_rows(torch.stack(views))

    def compute_logits(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compare each row of z (V, N, D), or only of its first view, with its positives and its negatives.

        Returns:
            The logits (R, V-1) of the positives, which are the sample's other views, and the log-sum-exp (R,) of the
            logits of the negatives. The latter is -inf without negatives: for a single sample without a bank, or with
            an empty one.
        """
        rows = z if self.symmetric else z[:1]
        # Not a matrix product: autocast and TF32 would change its backward pass.
        similarity = [[(row * other).sum(1) for w, other in enumerate(z) if w != v] for v, row in enumerate(rows)]
        positives = torch.cat([torch.stack(logits, 1) for logits in similarity]) / self.temperature
        return positives, self._log_negatives(rows.flatten(0, 1), z if self.symmetric else z[1:])

    def _log_negatives(self, rows: Tensor, key_views: Tensor) -> Tensor:
        keys, samples = key_views.flatten(0, 1), key_views.shape[1]
        sums: list[Tensor] = []
        if self.negatives != "bank":
            if samples > 1 and self.symmetric:
                sums.append(log_sum_exp_within(rows, self.temperature, samples))
            elif samples > 1:
                sums.append(log_sum_exp_across(rows, keys, self.temperature, samples))
            if self.gather_distributed and distributed.world_size() > 1:
                sums.append(log_sum_exp_across(rows, _rows_of_other_processes(keys), self.temperature))
        if self.memory_bank is not None:
            past = self.memory_bank.negatives()
            if past.shape[1] != rows.shape[1]:
                raise ValueError(f"the memory bank has dim {past.shape[1]}, but the embeddings have {rows.shape[1]}")
            if len(past):
                sums.append(log_sum_exp_across(rows, past, self.temperature))
            if rows.requires_grad:
                # Ordered by sample, so that several processes enqueue in the order of one process that has all samples.
                self.memory_bank.enqueue(key_views.transpose(0, 1).flatten(0, 1))
        return reduce(torch.logaddexp, sums) if sums else rows.new_full((len(rows),), -math.inf)


def _rows_of_other_processes(rows: Tensor) -> Tensor:
    everyone, first = distributed.gather_rows(rows), distributed.rank() * len(rows)
    return torch.cat([everyone[:first], everyone[first + len(rows) :]])
