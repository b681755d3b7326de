"""Training what a spec describes, and resuming it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sslreg.training.loop import train
    from sslreg.training.resume import resume

__all__ = ["resume", "train"]

#: The module of each name. They are imported on first use, because Lightning is slow to import.
_HOMES = {"resume": "sslreg.training.resume", "train": "sslreg.training.loop"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
