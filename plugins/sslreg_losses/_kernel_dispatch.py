"""The choice of the kernels that compute the log-sum-exp: fused by Triton, or tile by tile in plain torch."""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from torch import Tensor

import sslreg
from sslreg_losses import _tiled_kernels

log = logging.getLogger("sslreg.losses")


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


class FusedKernels:
    """The kernels of Triton, which those in plain torch replace after the first error.

    Args:
        module: The kernels of Triton.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._fallback = sslreg.KernelFallback(log, "losses need more time and memory on the GPU")

    def __getattr__(self, name: str) -> Any:
        """Return an operation of `Kernels`."""
        fused, plain = getattr(self._module, name), getattr(_tiled_kernels, name)
        return lambda *arguments: self._fallback.run(lambda: fused(*arguments), lambda: plain(*arguments))


def select_kernels(rows: Tensor) -> Kernels:
    """Return the fused kernels where Triton supports the rows, otherwise those in plain torch."""
    module = _load_triton_kernels() if rows.is_cuda else None
    return _tiled_kernels if module is None or not module.supports(rows) else _fused_kernels()


@cache
def _fused_kernels() -> Any:
    return FusedKernels(_load_triton_kernels())


@cache
def _load_triton_kernels() -> Any:
    """Return the kernels of Triton; None without Triton."""
    if not find_spec("triton"):
        return None
    try:
        return import_module("sslreg_losses._triton_kernels")
    except Exception as error:  # noqa: BLE001 - Triton looks for compilers and drivers when it is imported
        log.warning("losses need more time and memory on the GPU, since Triton cannot be imported: %s", error)
        return None
