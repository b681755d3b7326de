"""The log-sum-exp of similarities as autograd functions, in memory that grows only with the number of rows.

For rows x and candidates y, it is log Σ_j exp(x_i·y_j / T). The matrix of logits x_i·y_j / T never exists: its tiles
are computed, used, and computed again in the backward pass. `log_sum_exp_within` uses the symmetry of rows that are
each other's candidates. `log_sum_exp_across` has the gradient of its rows ready after the forward pass, so fixed
candidates are read only once.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from sslreg_losses._autocast_and_compile import disable_autocast, refuse_second_derivative
from sslreg_losses._kernel_dispatch import select_kernels

_LOG2_E = math.log2(math.e)


def log_sum_exp_within(rows: Tensor, temperature: float, samples: int) -> Tensor:
    """Return for each row the log-sum-exp (M,) over the rows of all other samples.

    Args:
        rows: Embeddings (M, D) of at most unit length. Row i belongs to sample i modulo `samples`.
        temperature: What inner products are divided by.
        samples: The number of samples, at least 2.
    """
    result: Tensor = _Within.apply(rows, temperature, samples)
    return result


def log_sum_exp_across(rows: Tensor, candidates: Tensor, temperature: float, samples: int = 0) -> Tensor:
    """Return for each row the log-sum-exp (M,) over the candidates.

    Args:
        rows: Embeddings (M, D) of at most unit length.
        candidates: Embeddings (K, D) of any length and precision.
        temperature: What inner products are divided by.
        samples: Unless 0, candidate j is left out for row i if i and j are equal modulo `samples`.
    """
    result: Tensor = _Across.apply(rows, candidates, temperature, samples)
    return result


class _Within(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, temperature: float, samples: int) -> Tensor:
        with disable_autocast(rows):
            log_sums = select_kernels(rows).log_sums_within(rows, _LOG2_E / temperature, samples)
        ctx.save_for_backward(rows, log_sums)
        ctx.temperature, ctx.samples = temperature, samples
        return log_sums / _LOG2_E

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        refuse_second_derivative()
        rows, log_sums = ctx.saved_tensors
        gradient, scale = gradients[0] / ctx.temperature, _LOG2_E / ctx.temperature
        with disable_autocast(rows):
            return select_kernels(rows).gradient_within(rows, log_sums, gradient, scale, ctx.samples), None, None


class _Across(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, candidates: Tensor, temperature: float, samples: int) -> Tensor:
        rows_learn, candidates_learn, *_ = ctx.needs_input_grad
        with disable_autocast(rows):
            scale = _LOG2_E / temperature
            log_sums, means = select_kernels(rows).log_sums_across(rows, candidates, scale, samples, rows_learn)
        # Fixed candidates are not saved: a memory bank may change before the backward pass.
        ctx.save_for_backward(means, *((rows, candidates, log_sums) if candidates_learn else ()))
        ctx.temperature, ctx.samples = temperature, samples
        return log_sums / _LOG2_E

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        refuse_second_derivative()
        means, *saved = ctx.saved_tensors
        gradient, scale = gradients[0] / ctx.temperature, _LOG2_E / ctx.temperature
        row_gradient = None if means is None else means * gradient[:, None]
        candidate_gradient = None
        if saved:
            rows, candidates, log_sums = saved
            with disable_autocast(rows):
                candidate_gradient = select_kernels(rows).gradient_across(
                    rows, candidates, log_sums, gradient, scale, ctx.samples
                )
                candidate_gradient = candidate_gradient.to(candidates.dtype)
        return row_gradient, candidate_gradient, None, None
