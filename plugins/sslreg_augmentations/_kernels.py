"""The compiled kernels, where they can be used."""

from __future__ import annotations

import importlib
import logging
from functools import cache
from types import ModuleType

from torch import Tensor

import sslreg

log = logging.getLogger("sslreg.augmentations")


@cache
def installed() -> bool:
    """Whether numba is there; without it torch does the same work, slower."""
    try:
        importlib.import_module("numba")
    except ImportError as error:
        log.warning("numba cannot be imported, so that augmentation on the CPU is slow: %s", error)
        return False
    return True


def kernels(name: str, images: sslreg.Images) -> ModuleType | None:
    """A module of compiled kernels for these images, or None where torch has to do the work."""
    first = images[0]
    if first.device.type != "cpu" or not installed():
        return None
    return _module(name)


@cache
def _module(name: str) -> ModuleType:
    return importlib.import_module(f"sslreg_augmentations._compiled.{name}")


def floats(image: Tensor) -> Tensor:
    """Levels of 8 bits as float32 in [0, 1]; float32 as it is."""
    return image.float() / 255 if not image.is_floating_point() else image
