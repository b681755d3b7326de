"""The choice between compiled kernels and torch."""

from __future__ import annotations

import importlib
import logging
from functools import cache
from importlib.util import find_spec
from subprocess import SubprocessError
from types import ModuleType

import sslreg

log = logging.getLogger("sslreg.augmentations")

#: Runs the kernels of Triton until they fail.
cuda_fallback = sslreg.KernelFallback(log, "augmentation on the GPU is slow")


def cpu_kernels(name: str, images: sslreg.Images) -> ModuleType | None:
    """Return a module of kernels compiled by numba for these images; None if torch must do the work."""
    return _load_numba_kernels(name) if images[0].device.type == "cpu" and can_compile() else None


def can_compile() -> bool:
    """Return whether numba can and may compile kernels here; without them torch does the same work, slower."""
    return sslreg.may_compile() and _load_numba_kernels("photometry") is not None


@cache
def _load_numba_kernels(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(f"sslreg_augmentations._numba.{name}")
    # numba is missing or does not support this NumPy.
    except (ImportError, RuntimeError) as error:
        log.warning("augmentation on the CPU is slow, since its kernels cannot be compiled: %s", error)
        return None


@cache
def cuda_kernels() -> ModuleType | None:
    """Return the kernels that Triton compiles for NVIDIA GPUs; None if torch must do the work."""
    if not find_spec("triton"):
        return None
    try:
        module = importlib.import_module("sslreg_augmentations._triton.photometry")
        module.build_driver()
    # Triton builds its driver with a C compiler and Python's headers, which a machine with a GPU may lack.
    except (ImportError, RuntimeError, OSError, SubprocessError) as error:
        log.warning("augmentation on the GPU is slow, since Triton cannot compile its kernels: %s", error)
        return None
    return module
