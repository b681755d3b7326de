"""Goes on with a run from its last checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from sslreg.errors import UserError
from sslreg.spec import Spec, load_spec
from sslreg.spec.diff import Change, differences
from sslreg.training.fit import go_on
from sslreg.training.run import Run

#: Where a run is computed. It may move; numbers are then rounded otherwise from there on.
DEVICES = ("trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy")
#: What may differ when a run goes on, beside a longer training: none of it changes what is computed.
FREE = (
    *("data.workers", "data.on_error", "checkpoint.every_minutes", "checkpoint.every_steps", "engine.on_collapse"),
    *DEVICES,
)


def resume(path: str | Path, overrides: Sequence[str] = (), *, console: Console | None = None) -> Run:
    """Go on with the run in a folder where its last checkpoint left off, and return it when it is finished.

    On a CPU, and with the same number of threads, the result is bit for bit that of a run that was never interrupted.
    overrides: ``trainer.max_epochs`` may be raised, also for a finished run, and `FREE` may be changed. UserError: they
    change anything else, or there is nothing left to train; SslregError: there is no checkpoint.
    """
    run = Run(path)
    spec = load_spec(run.folder.resolved_spec, overrides)
    _refuse_other_changes(run.spec, spec)
    if run.summary["status"] == "finished" and not _has_more(spec, run.checkpoint()):
        raise UserError(
            f"{run.path} has trained all of its {run.summary['epochs']} epochs",
            hint="go on for longer with --set trainer.max_epochs=N",
            code="nothing-left",
        )
    return go_on(spec, run.folder, console or Console(stderr=True))


def _has_more(spec: Spec, checkpoint: dict[str, Any]) -> bool:
    """Whether there are steps to take after the checkpoint."""
    epochs, steps = spec.trainer.get("max_epochs"), spec.trainer.get("max_steps", -1)
    has_epochs = epochs is None or checkpoint["callbacks"]["Position"]["epoch"] < epochs
    return bool(has_epochs and (steps == -1 or checkpoint["global_step"] < steps))


def _refuse_other_changes(before: Spec, after: Spec) -> None:
    changes = [
        change
        for change in differences(before.resolved(), after.resolved())
        if change.path not in FREE and not _is_longer_training(change)
    ]
    if changes:
        raise UserError(
            f"a run goes on as it was begun, and {', '.join(change.path for change in changes)} would change it",
            hint="start a new run for another spec; a resumed one may raise trainer.max_epochs",
            code="resume-changes",
        )


def _is_longer_training(change: Change) -> bool:
    return change.path == "trainer.max_epochs" and change.after > change.before
