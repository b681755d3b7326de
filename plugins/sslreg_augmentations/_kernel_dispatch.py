"""The compiled kernels, where they can be used."""

from __future__ import annotations

import importlib
import logging
from functools import cache
from importlib.util import find_spec
from subprocess import SubprocessError
from types import ModuleType

import sslreg

log = logging.getLogger("sslreg.augmentations")


def cpu_kernels(name: str, images: sslreg.Images) -> ModuleType | None:
    """A module of compiled kernels for these images, or None where torch has to do the work."""
    return _module(name) if images[0].device.type == "cpu" and can_compile() else None


def can_compile() -> bool:
    """Whether kernels can be compiled here; without them torch does the same work, slower."""
    return _module("photometry") is not None


@cache
def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(f"sslreg_augmentations._numba.{name}")
    # numba is missing, does not know this NumPy, or finds no place to keep what it compiles.
    except (ImportError, RuntimeError) as error:
        log.warning("augmentation on the CPU is slow, since its kernels cannot be compiled: %s", error)
        return None


@cache
def cuda_kernels() -> ModuleType | None:
    """The kernels that Triton compiles for NVIDIA GPUs, or None where torch has to do the work."""
    if not find_spec("triton"):
        return None
    try:
        module = importlib.import_module("sslreg_augmentations._triton.photometry")
        module.build_driver()
    # Triton builds its driver by a C compiler, with Python's headers, which a machine with a GPU need not have.
    except (ImportError, RuntimeError, OSError, SubprocessError) as error:
        log.warning("what a GPU does of the views is slow, since Triton cannot compile its kernels: %s", error)
        return None
    return module
