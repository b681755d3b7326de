"""Goes on with a run from its last checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from sslreg.errors import UserError
from sslreg.runs.folder import RunFolder
from sslreg.runs.run import Run
from sslreg.runs.run_lock import in_use
from sslreg.spec import Spec, load_spec
from sslreg.spec.diff import Change, find_changes
from sslreg.training.lightning_trainer import is_main_process
from sslreg.training.loop import go_on, train

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
    if _is_finished(run, spec):
        raise UserError(
            f"{run.path} has trained all of its {run.summary['epochs']} epochs",
            hint="go on for longer with --set trainer.max_epochs=N",
            code="nothing-left",
        )
    return go_on(spec, run.folder, console or Console(stderr=True))


def train_or_resume(spec: Spec, out: str | Path, *, console: Console | None = None) -> Run:
    """Train into a folder, or go on with the run that the same command has left there: for queues that start it again.

    A run that is finished is returned as it is. UserError: the folder holds a run of another spec, or something else.
    """
    folder = RunFolder(Path(out))
    if folder.last_checkpoint.exists() or folder.previous_checkpoint.exists():
        run = Run(out)
        _refuse_other_changes(run.spec, spec)
        return run if _is_finished(run, spec) else go_on(spec, folder, console or Console(stderr=True))
    # Other processes of this run may come here when the main one has begun.
    if folder.resolved_spec.is_file() and is_main_process():
        _refuse_other_changes(Run(out).spec, spec)
        with in_use(folder):
            folder.clear()
    return train(spec, out, console=console)


def _is_finished(run: Run, spec: Spec) -> bool:
    return run.summary["status"] == "finished" and not _has_more(spec, run.checkpoint())


def _has_more(spec: Spec, checkpoint: dict[str, Any]) -> bool:
    """Whether there are steps to take after the checkpoint."""
    epochs, steps = spec.trainer.get("max_epochs"), spec.trainer.get("max_steps", -1)
    has_epochs = epochs is None or checkpoint["callbacks"]["ResumePosition"]["epoch"] < epochs
    return bool(has_epochs and (steps == -1 or checkpoint["global_step"] < steps))


def _refuse_other_changes(before: Spec, after: Spec) -> None:
    changes = [
        change
        for change in find_changes(before.to_dict(), after.to_dict())
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
