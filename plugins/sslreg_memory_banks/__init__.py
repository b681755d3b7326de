"""Memory banks: embeddings of past batches, as negatives or as neighbors."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import sslreg

if TYPE_CHECKING:
    from sslreg_memory_banks.fifo import FIFOMemoryBank as FIFOMemoryBank
    from sslreg_memory_banks.nearest_neighbor import NearestNeighborMemoryBank as NearestNeighborMemoryBank

sslreg_api = 1

_HOME = {"FIFOMemoryBank": "fifo", "NearestNeighborMemoryBank": "nearest_neighbor"}
__all__ = list(_HOME)


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.memory_bank(
        "fifo", "sslreg_memory_banks.fifo:FIFOMemoryBank", summary="the last keys, first in, first out (MoCo's queue)"
    )
    registry.memory_bank(
        "nearest_neighbor",
        "sslreg_memory_banks.nearest_neighbor:NearestNeighborMemoryBank",
        summary="past embeddings, of which the nearest replaces a positive (NNCLR)",
    )


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
