"""The sums of exponentiated similarities that contrastive losses are made of, tile by tile.

With rows x and candidates y, ``log_sum_exp`` is log Σ_j exp(x_i·y_j / T). The matrix of similarities never exists: a
tile of it is computed, used, and computed again in the backward pass. Everything runs in base 2, because torch's
exp2 is several times as fast on a CPU as its exp.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sslreg_losses._unit import refuse_second_derivative

LOG2_E = math.log2(math.e)
LN_2 = math.log(2)


def log_sum_exp_within(rows: Tensor, temperature: float, samples: int) -> Tensor:
    """For each row (M, D), the log-sum-exp over the rows of all other samples, (M,).

    Row i belongs to sample i mod `samples`. Rows have length one at most.
    """
    result: Tensor = _Within.apply(rows, temperature, samples)
    return result


def log_sum_exp_across(rows: Tensor, candidates: Tensor, temperature: float, samples: int = 0) -> Tensor:
    """For each row (M, D), the log-sum-exp over the candidates (K, D), (M,).

    samples: if not 0, row i and candidate j are left out of each other's sums where i = j modulo `samples`.
    """
    result: Tensor = _Across.apply(rows, candidates, temperature, samples)
    return result


class _Within(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, temperature: float, samples: int) -> Tensor:
        logits = rows @ rows.T / temperature
        _leave_out(logits, 0, samples)
        sums = logits.logsumexp(1)
        ctx.save_for_backward(rows, sums)
        ctx.temperature, ctx.samples = temperature, samples
        return sums

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        refuse_second_derivative()
        (gradient,) = gradients
        rows, sums = ctx.saved_tensors
        logits = rows @ rows.T / ctx.temperature
        _leave_out(logits, 0, ctx.samples)
        weights = (logits - sums[:, None]).exp() * gradient[:, None]
        return (weights + weights.T) @ rows / ctx.temperature, None, None


class _Across(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, candidates: Tensor, temperature: float, samples: int) -> Tensor:
        logits = rows @ candidates.T / temperature
        _leave_out(logits, 0, samples)
        sums = logits.logsumexp(1)
        ctx.save_for_backward(rows, candidates, sums)
        ctx.temperature, ctx.samples = temperature, samples
        return sums

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        refuse_second_derivative()
        (gradient,) = gradients
        rows, candidates, sums = ctx.saved_tensors
        logits = rows @ candidates.T / ctx.temperature
        _leave_out(logits, 0, ctx.samples)
        weights = (logits - sums[:, None]).exp() * (gradient[:, None] / ctx.temperature)
        return weights @ candidates, weights.T @ rows, None, None


def _leave_out(logits: Tensor, offset: int, samples: int) -> None:
    """Set to -inf the pairs of one sample in a tile whose first column is `offset` to the right of its first row."""
    height, width = logits.shape
    for shift in _same_sample(height, width, offset, samples):
        logits.diagonal(shift).fill_(-math.inf)


def _same_sample(height: int, width: int, offset: int, samples: int) -> Iterator[int]:
    if samples:
        first = (1 - height + offset) // samples * samples
        yield from (shift - offset for shift in range(first, offset + width, samples) if shift - offset > -height)
