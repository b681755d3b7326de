"""Memory banks: embeddings of past batches, as negatives or as neighbors."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import sslreg

if TYPE_CHECKING:
    from sslreg_memory_banks.fifo import FIFOMemoryBank as FIFOMemoryBank

sslreg_api = 1

_HOME = {"FIFOMemoryBank": "fifo"}
__all__ = list(_HOME)


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.memory_bank(
        "fifo", "sslreg_memory_banks.fifo:FIFOMemoryBank", summary="The last keys, first in, first out (MoCo's queue)"
    )


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
