"""How a training exits: the status in its summary, and the error that tells the user how to resume."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NoReturn

import lightning.pytorch as lightning
from lightning.pytorch.utilities.exceptions import SIGTERMException

from sslreg.atomic_files import WriteError
from sslreg.blocked_waits import call_briefly, end_blocked_process, is_stopped
from sslreg.errors import InterruptedRunError, SslregError, StoppedRunError
from sslreg.runs.folder import RunFolder
from sslreg.runs.run_writer import overwrite_status
from sslreg.training.callbacks.checkpoint_saver import CheckpointSaver
from sslreg.training.distributed.collectives import exit_together
from sslreg.training.distributed.watchdog import LIGHTNING_CHILDREN
from sslreg.training.failure_messages import explain_failure
from sslreg.training.rewind_to_checkpoint import RewindRun
from sslreg.training.stop_signals import StopRequested, StopSignals

log = logging.getLogger(__name__)

#: The codes of errors that a component's code causes.
BROKEN_COMPONENT = ("broken-component", "augmentation")


@contextmanager
def record_exit(
    trainer: lightning.Trainer, checkpoints: CheckpointSaver, write_status: Callable[[str], None]
) -> Iterator[None]:
    """Write the status with which the block ends, and raise an error that says why and how to resume.

    Args:
        trainer: The trainer that runs in the block.
        checkpoints: The saver, which knows the folder and the signals.
        write_status: Writes the run's summary with a status: finished, interrupted or failed.
    """
    try:
        yield
    except (StopRequested, SIGTERMException) as request:
        with exit_together():  # torchrun ends the other processes once one has ended
            write_status("interrupted")
        raise interrupted_error(checkpoints.folder, trainer.global_step, checkpoints.stop) from request
    except RewindRun:
        raise
    except BaseException as error:
        folder = checkpoints.folder
        # Lightning turns an interrupt into a SystemExit.
        if isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt):
            write_status("interrupted")
            raise stopped_error(folder, trainer.global_step, checkpoints.stop.awaited) from error
        try:
            write_status("failed")
        except WriteError as unwritten:
            if not isinstance(error, WriteError):  # whose message is the same
                log.warning("%s", unwritten)
        if explained := explain_failure(error):
            raise _advise(explained, folder, trainer.global_step) from error
        raise
    with exit_together():  # so that every process finds the summary complete
        write_status("finished")


def _advise(error: SslregError, folder: RunFolder, step: int) -> SslregError:
    """Return an error with the advice to resume, if there is a checkpoint to resume from.

    A broken component that has not trained a step would fail again.
    """
    is_broken = error.diagnostics[-1].code in BROKEN_COMPONENT
    if not folder.last_checkpoint.exists() or folder.is_temporary or (is_broken and not step):
        return error
    return error.with_hint(f"{'fix the component first, ' if is_broken else ''}then {resume_hint(folder)}")


def not_started_error(stop: StopSignals) -> InterruptedRunError:
    """Return the error for a run that was asked to stop before its first step."""
    error = InterruptedRunError(
        f"interrupted{_by_signal(stop.received)} before the first step; nothing was trained",
        hint="start it again",
        code="interrupted",
    )
    error.signal = stop.received
    return error


def interrupted_error(folder: RunFolder, step: int, stop: StopSignals) -> InterruptedRunError:
    """Return the error for a run that was asked to stop and has saved its state."""
    kept = "nothing is kept" if folder.is_temporary else f"what was trained is in {folder.path}"
    error = InterruptedRunError(
        f"interrupted{_by_signal(stop.received)} after step {step}{_while_waiting(stop.awaited)}; {kept}",
        hint=resume_hint(folder),
        code="interrupted",
    )
    error.signal = stop.received
    return error


def stopped_error(folder: RunFolder, step: int, awaited: str | None) -> StoppedRunError:
    """Return the error for a run that was stopped at once, in the middle of a step."""
    lost = f"the steps since the last checkpoint in {folder.path} will be taken again"
    return StoppedRunError(
        f"stopped at once, after step {step}{_while_waiting(awaited)}; "
        f"{'nothing is kept' if folder.is_temporary else lost}",
        hint=resume_hint(folder),
        code="interrupted",
    )


def end_waiting_process(
    trainer: lightning.Trainer, folder: RunFolder, received: signal.Signals, awaited: str
) -> NoReturn:
    """End this process, which was asked to stop and waits for something that does not come.

    The first process of each host says so, and the main one writes the status of the run.
    """
    if stopped := [str(child.pid) for child in LIGHTNING_CHILDREN if is_stopped(child.pid)]:
        awaited += f" (process {', '.join(stopped)} is stopped)"
    error = stopped_error(folder, trainer.global_step, awaited)
    for child in LIGHTNING_CHILDREN:
        child.kill()
    if trainer.is_global_zero:
        call_briefly(partial(overwrite_status, folder, "interrupted"))  # the disk may be what does not answer
    end_blocked_process(received, str(error) if trainer.local_rank == 0 else "")


def resume_hint(folder: RunFolder) -> str:
    """Return the hint with the command that resumes a run; a dry run is started again."""
    if folder.is_temporary:
        return "start it again"
    return f"resume with: {folder.resume_command}"


def _by_signal(received: signal.Signals | None) -> str:
    return "" if received is None else f" by {received.name}"


def _while_waiting(awaited: str | None) -> str:
    return "" if awaited is None else f", while waiting for {awaited}"
