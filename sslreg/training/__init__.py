"""Trains a spec's pipeline and reads back what a run left."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sslreg.training.fit import train
    from sslreg.training.resuming import resume
    from sslreg.training.runs.evaluate import embed_split
    from sslreg.training.runs.run import Run, load_run

__all__ = ["Run", "embed_split", "load_run", "resume", "train"]

#: By the module of each name. Lightning and torch are slow to import: a finished run is used without the one, and runs
#: are listed without either.
_HOMES = {
    "Run": "runs.run",
    "embed_split": "runs.evaluate",
    "load_run": "runs.run",
    "resume": "resuming",
    "train": "fit",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
