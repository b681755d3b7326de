"""How a training ends: what its summary says then, and what is raised when it ends before its time."""

from __future__ import annotations

import logging
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import lightning.pytorch as lightning
from lightning.pytorch.utilities.exceptions import SIGTERMException

from sslreg.atomic_files import WriteError
from sslreg.errors import InterruptedRunError, SslregError, StoppedRunError
from sslreg.runs.folder import RunFolder
from sslreg.training.callbacks.checkpoint_saver import CheckpointSaver
from sslreg.training.distributed.collectives import exit_together
from sslreg.training.failure_messages import explained
from sslreg.training.rewind import RewindRun
from sslreg.training.stop_signals import StopRequested

log = logging.getLogger(__name__)


@contextmanager
def ending(trainer: lightning.Trainer, checkpoints: CheckpointSaver, finish: Callable[[str], None]) -> Iterator[None]:
    """Write how the training within ends, and raise what says why, and what can be done.

    finish: writes the run's summary with a status.
    """
    try:
        yield
    except (StopRequested, SIGTERMException) as request:
        with exit_together():  # torchrun ends the others once one has ended
            finish("interrupted")
        raise interrupted(checkpoints.folder, trainer.global_step, checkpoints.stop.received) from request
    except RewindRun:
        raise
    except BaseException as error:
        folder = checkpoints.folder
        # Lightning makes a SystemExit of an interrupt.
        if isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt):
            finish("interrupted")
            raise stopped(folder, trainer.global_step) from error
        try:
            finish("failed")
        except WriteError as unwritten:
            if not isinstance(error, WriteError):  # which says so already
                log.warning("%s", unwritten)
        if known := failure(error, folder):
            raise known from error
        raise
    with exit_together():  # so whoever reads the summary finds it whole
        finish("finished")


def before_the_first_step(received: signal.Signals | None) -> InterruptedRunError:
    """For a run that was asked to stop before it had a folder."""
    error = InterruptedRunError(
        f"interrupted{_by(received)} before the first step; nothing was trained",
        hint="start it again",
        code="interrupted",
    )
    error.signal = received
    return error


def interrupted(folder: RunFolder, step: int, received: signal.Signals | None) -> InterruptedRunError:
    """For a run that was asked to stop, and has saved its state."""
    error = InterruptedRunError(
        f"interrupted{_by(received)} after step {step}; what was trained is in {folder.path}",
        hint=how_to_go_on(folder),
        code="interrupted",
    )
    error.signal = received
    return error


def stopped(folder: RunFolder, step: int) -> StoppedRunError:
    """For a run that was stopped in the middle of whatever it did."""
    return StoppedRunError(
        f"stopped at once, after step {step}; the steps since the last checkpoint in {folder.path} will be taken again",
        hint=how_to_go_on(folder),
        code="interrupted",
    )


def failure(error: BaseException, folder: RunFolder) -> SslregError | None:
    """What failed, and how to go on after it is mended; None for what may be a fault of the program."""
    known = explained(error)
    if known is not None and folder.last_checkpoint.exists():
        return known.with_hint(f"then {how_to_go_on(folder)}")
    return known


def how_to_go_on(folder: RunFolder) -> str:
    return f"go on with: sslreg train --resume {shlex.quote(str(folder.path))}"


def _by(received: signal.Signals | None) -> str:
    return "" if received is None else f" by {received.name}"
