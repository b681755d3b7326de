"""Runs on disk: their folders, records and checkpoints, and loading them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sslreg.runs.run import Run, load_run
    from sslreg.runs.run_evaluation import embed_split

__all__ = ["Run", "embed_split", "load_run"]

#: The module of each name. They are imported on first use, because listing runs does without torch.
_HOMES = {"Run": "sslreg.runs.run", "embed_split": "sslreg.runs.run_evaluation", "load_run": "sslreg.runs.run"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
