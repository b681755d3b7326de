"""Trains a spec's pipeline and reads back what a run left."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sslreg.runs.run import Run, load_run
    from sslreg.runs.run_evaluation import embed_split
    from sslreg.training.loop import train
    from sslreg.training.resume import resume

__all__ = ["Run", "embed_split", "load_run", "resume", "train"]

#: By the module of each name. Lightning and torch are slow to import: a finished run is used without the one, and runs
#: are listed without either.
_HOMES = {
    "Run": "sslreg.runs.run",
    "embed_split": "sslreg.runs.run_evaluation",
    "load_run": "sslreg.runs.run",
    "resume": "sslreg.training.resume",
    "train": "sslreg.training.loop",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
