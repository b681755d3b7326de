"""The sums of exponentiated similarities that contrastive losses are made of, in memory that grows with the rows alone.

With rows x and candidates y, log_sum_exp is log Σ_j exp(x_i·y_j / T). Its matrix of logits x_i·y_j / T never exists:
tiles of it are computed, used up, and computed again in the backward pass where they are needed again. Of the two
functions, `log_sum_exp_within` makes use of the symmetry of rows that are each other's candidates, and
`log_sum_exp_across` has its rows' gradient ready after the forward pass, so that fixed candidates are read once.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any, Protocol

import torch
from torch import Tensor

from sslreg_losses import _tiled
from sslreg_losses._autocast_and_compile import full_precision, refuse_second_derivative

_LOG2_E = math.log2(math.e)


def log_sum_exp_within(rows: Tensor, temperature: float, samples: int) -> Tensor:
    """For each row (M, D), the log-sum-exp over the rows of all other samples, (M,).

    Row i belongs to sample i modulo `samples`, of which there are two or more. Rows have length one at most.
    """
    result: Tensor = _Within.apply(rows, temperature, samples)
    return result


def log_sum_exp_across(rows: Tensor, candidates: Tensor, temperature: float, samples: int = 0) -> Tensor:
    """For each row (M, D), the log-sum-exp over the candidates (K, D) of any length and precision, (M,).

    samples: unless 0, row i does not meet candidate j where i and j are equal modulo `samples`.
    """
    result: Tensor = _Across.apply(rows, candidates, temperature, samples)
    return result


class Kernels(Protocol):
    """What a backend computes. Logits are ``scale * x_i·y_j`` and logarithms are in base 2.

    Gradients are those of Σ_i gradient_i · log_sums_i · ln 2, taken by scale · x_i·y_j · ln 2 and multiplied by the
    other factor of the product: what remains for the caller is the temperature.
    """

    def within(self, rows: Tensor, scale: float, samples: int) -> Tensor:
        """log Σ 2^logit over the rows of other samples, (M,)."""
        ...

    def within_gradient(self, rows: Tensor, log_sums: Tensor, gradient: Tensor, scale: float, samples: int) -> Tensor:
        """Σ_j (gradient_i·p_ij + gradient_j·p_ji) x_j, (M, D), with p the softmax of the logits."""
        ...

    def across(
        self, rows: Tensor, candidates: Tensor, scale: float, samples: int, mean: bool
    ) -> tuple[Tensor, Tensor | None]:
        """log Σ 2^logit over the candidates, (M,), and with `mean` Σ_j p_ij y_j, (M, D)."""
        ...

    def across_gradient(
        self, rows: Tensor, candidates: Tensor, log_sums: Tensor, gradient: Tensor, scale: float, samples: int
    ) -> Tensor:
        """Σ_i gradient_i·p_ij x_i, (K, D)."""
        ...


def _kernels(rows: Tensor) -> Kernels:
    if rows.is_cuda and find_spec("triton"):
        from sslreg_losses import _triton

        if _triton.takes(rows):
            return _triton
    return _tiled


class _Within(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, temperature: float, samples: int) -> Tensor:
        with full_precision(rows):
            log_sums = _kernels(rows).within(rows, _LOG2_E / temperature, samples)
        ctx.save_for_backward(rows, log_sums)
        ctx.temperature, ctx.samples = temperature, samples
        return log_sums / _LOG2_E

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        refuse_second_derivative()
        rows, log_sums = ctx.saved_tensors
        gradient, scale = gradients[0] / ctx.temperature, _LOG2_E / ctx.temperature
        with full_precision(rows):
            return _kernels(rows).within_gradient(rows, log_sums, gradient, scale, ctx.samples), None, None


class _Across(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, candidates: Tensor, temperature: float, samples: int) -> Tensor:
        rows_learn, candidates_learn, *_ = ctx.needs_input_grad
        with full_precision(rows):
            scale = _LOG2_E / temperature
            log_sums, means = _kernels(rows).across(rows, candidates, scale, samples, rows_learn)
        # Fixed candidates are not kept: a memory bank may change before the backward pass.
        ctx.save_for_backward(means, *((rows, candidates, log_sums) if candidates_learn else ()))
        ctx.temperature, ctx.samples = temperature, samples
        return log_sums / _LOG2_E

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        refuse_second_derivative()
        means, *others = ctx.saved_tensors
        gradient, scale = gradients[0] / ctx.temperature, _LOG2_E / ctx.temperature
        of_rows = None if means is None else means * gradient[:, None]
        of_candidates = None
        if others:
            rows, candidates, log_sums = others
            with full_precision(rows):
                of_candidates = _kernels(rows).across_gradient(rows, candidates, log_sums, gradient, scale, ctx.samples)
                of_candidates = of_candidates.to(candidates.dtype)
        return of_rows, of_candidates, None, None
