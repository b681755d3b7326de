"""Resuming a run from its last checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sslreg.errors import UserError
from sslreg.runs.checkpoint_file import load_newest_checkpoint, read_position
from sslreg.runs.folder import RunFolder
from sslreg.runs.provenance import lock_readers
from sslreg.runs.run import Run
from sslreg.runs.run_lock import hold_run_lock
from sslreg.spec import Spec, load_spec
from sslreg.spec.diff import Change, find_changes
from sslreg.terminal import TerminalConsole
from sslreg.training.callbacks.early_stop import ShouldStop
from sslreg.training.distributed.ranks import is_main_process
from sslreg.training.loop import train, train_to_end

#: The keys that say where a run is computed. They may change; numbers are rounded differently from then on.
DEVICE_KEYS = ("trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy")
#: The keys that may change when a run resumes, in addition to a longer training. None of them changes the result.
CHANGEABLE_KEYS = (
    *("data.workers", "data.on_error", "checkpoint.every_minutes", "checkpoint.every_steps", "engine.on_collapse"),
    *DEVICE_KEYS,
)


def resume(path: str | Path, overrides: Sequence[str] = (), *, console: Console | None = None) -> Run:
    """Resume the run in a folder from its last checkpoint, and return it when it is finished.

    A run that `train` ended early is trained to its end.

    On a CPU, and with the same number of threads, the result is bit for bit that of a run that was never interrupted.

    Args:
        path: The run's folder.
        overrides: Changes to the spec. ``trainer.max_epochs`` may be raised, also for a finished run, and
            `CHANGEABLE_KEYS` may change.
        console: Where progress is shown; by default standard error.

    Raises:
        UserError: The overrides change anything else, or there is nothing left to train.
        SslregError: There is no checkpoint.
    """
    run = Run(path)
    spec = lock_readers(load_spec(run.folder.resolved_spec, overrides), run.folder)
    _require_allowed_changes(run.spec, spec)
    if (stopped_at := _find_guard_stop(run)) is not None:
        raise UserError(
            f"the guard of {run.path} ended the training after step {stopped_at}",
            hint="start a new run with a lower learning rate, or with a larger guard.max_drop",
            code="nothing-left",
        )
    if run.summary["status"] == "finished" and not _has_steps_left(spec, run):
        raise UserError(
            f"{run.path} has trained all of its {run.summary['epochs']} epochs",
            hint="train longer with --set trainer.max_epochs=N",
            code="nothing-left",
        )
    return train_to_end(spec, run.folder, console or TerminalConsole(stderr=True), resume=True)


def train_or_resume(
    spec: Spec, out: str | Path, *, console: Console | None = None, should_stop: ShouldStop | None = None
) -> Run:
    """Resume the run that the same command has left in a folder, or train into it if there is none.

    Queues that start a command again need this. A finished run is returned as it is, also one that ended early.

    Args:
        spec: The spec.
        out: The run's folder.
        console: Where progress is shown; by default standard error.
        should_stop: Decides after an epoch whether the training ends early, as for `train`.

    Raises:
        UserError: The folder holds a run of another spec, or something else.
    """
    folder = RunFolder(Path(out))
    if folder.last_checkpoint.exists() or folder.previous_checkpoint.exists():
        run = Run(out)
        _require_allowed_changes(run.spec, spec)
        if _is_finished(run, spec):
            return run
        console = console or TerminalConsole(stderr=True)
        return train_to_end(lock_readers(spec, folder), folder, console, resume=True, should_stop=should_stop)
    # Other processes of this run may get here when the main one has started to write.
    if folder.resolved_spec.is_file() and is_main_process():
        _require_allowed_changes(Run(out).spec, spec)
        with hold_run_lock(folder):
            folder.clear()
    return train(spec, out, console=console, should_stop=should_stop)


def _is_finished(run: Run, spec: Spec) -> bool:
    if run.summary["status"] != "finished":
        return False
    return _find_guard_stop(run) is not None or run.summary["ended_early"] or not _has_steps_left(spec, run)


def _find_guard_stop(run: Run) -> int | None:
    """Return the step after which a guard ended the training of a finished run; None if none did."""
    stopped_at: int | None = run.summary.get("guard", {}).get("stopped_at")
    return stopped_at if run.summary["status"] == "finished" else None


def _has_steps_left(spec: Spec, run: Run) -> bool:
    """Return whether there are steps to train after the checkpoint of a run."""
    path, checkpoint = load_newest_checkpoint(run.folder)
    epochs, steps = spec.trainer.get("max_epochs"), spec.trainer.get("max_steps", -1)
    has_epochs = epochs is None or read_position(path, checkpoint)[0] < epochs
    return bool(has_epochs and (steps == -1 or checkpoint["global_step"] < steps))


def _require_allowed_changes(before: Spec, after: Spec) -> None:
    """Raise a UserError if a spec differs from that of a run in more than may change."""
    changes = [
        change
        for change in find_changes(before.to_dict(), after.to_dict())
        if change.path not in CHANGEABLE_KEYS and not _is_longer_training(change)
    ]
    if changes:
        raise UserError(
            f"a run resumes with the spec it was started with, and {', '.join(change.path for change in changes)} "
            "would change it",
            hint="start a new run for another spec; a resumed one may raise trainer.max_epochs",
            code="resume-changes",
        )


def _is_longer_training(change: Change) -> bool:
    return change.path == "trainer.max_epochs" and change.after > change.before
