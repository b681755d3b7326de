"""The choice of the kernels that compute the log-sum-exp: fused by Triton, or tile by tile in plain torch."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

from torch import Tensor

from sslreg_losses import _tiled_kernels


class Kernels(Protocol):
    """The operations that a backend computes. Logits are ``scale * x_i·y_j``, and logarithms are to base 2.

    Gradients are those of Σ_i gradient_i · log_sums_i · ln 2 with respect to scale · x_i·y_j · ln 2, multiplied by the
    other factor of the inner product. The caller divides by the temperature.
    """

    def log_sums_within(self, rows: Tensor, scale: float, samples: int) -> Tensor:
        """Return log Σ 2^logit over the rows of other samples, (M,)."""
        ...

    def gradient_within(self, rows: Tensor, log_sums: Tensor, gradient: Tensor, scale: float, samples: int) -> Tensor:
        """Return Σ_j (gradient_i·p_ij + gradient_j·p_ji) x_j, (M, D), with p the softmax of the logits."""
        ...

    def log_sums_across(
        self, rows: Tensor, candidates: Tensor, scale: float, samples: int, mean: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return log Σ 2^logit over the candidates, (M,), and with `mean` Σ_j p_ij y_j, (M, D)."""
        ...

    def gradient_across(
        self, rows: Tensor, candidates: Tensor, log_sums: Tensor, gradient: Tensor, scale: float, samples: int
    ) -> Tensor:
        """Return Σ_i gradient_i·p_ij x_i, (K, D), the gradient of the candidates."""
        ...


def select_kernels(rows: Tensor) -> Kernels:
    """Return the fused kernels where Triton supports the rows, otherwise those in plain torch."""
    if rows.is_cuda and find_spec("triton"):
        from sslreg_losses import _triton_kernels

        if _triton_kernels.supports(rows):
            return _triton_kernels
    return _tiled_kernels
