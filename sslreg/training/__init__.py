"""Trains a spec's pipeline and reads back what a run left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sslreg.training.evaluate_run import embed_split, evaluate_run
from sslreg.training.run import Run, load_run

if TYPE_CHECKING:
    from sslreg.training.fit import train
    from sslreg.training.resuming import resume

__all__ = ["Run", "embed_split", "evaluate_run", "load_run", "resume", "train"]


def __getattr__(name: str) -> Any:
    # Lightning is slow to import, and using a finished run does not need it.
    if name == "train":
        from sslreg.training.fit import train

        return train
    if name == "resume":
        from sslreg.training.resuming import resume

        return resume
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
