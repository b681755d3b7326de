"""Goes back to the last checkpoint when training has led to numbers that are not finite."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console

from sslreg.runs.checkpoint_file import newest_checkpoint
from sslreg.runs.folder import RunFolder
from sslreg.runs.run import Run
from sslreg.training.callbacks.checkpoint_saver import CheckpointSaver
from sslreg.training.callbacks.non_finite_guard import IN_A_ROW, REWINDS, NonFiniteError
from sslreg.training.distributed.collectives import any_process, run_on_main
from sslreg.training.lightning_trainer import is_main_process
from sslreg.training.stop_signals import StopRequested


class RewindRun(Exception):  # noqa: N818  (it is no error: the run goes on)
    """Training is to go back.

    folder: the run's; checkpoint: the step it goes back to; until: the last step that is to be guarded.
    """

    def __init__(self, message: str, folder: RunFolder, checkpoint: int, until: int) -> None:
        super().__init__(message)
        self.folder = folder
        self.checkpoint = checkpoint
        self.until = until


@contextmanager
def rewind_on_non_finite(checkpoints: CheckpointSaver) -> Iterator[None]:
    """RewindRun in place of a NonFiniteError that says from which step; it is raised by all processes alike.

    StopRequested: the run was asked to stop meanwhile; its last checkpoint is what it would go back to.
    """
    try:
        yield
    except NonFiniteError as error:
        if error.step is None:
            raise
        if any_process(checkpoints.stop.received is not None)[0]:
            raise StopRequested from None
        folder = checkpoints.folder
        step = run_on_main(lambda: newest_checkpoint(folder)[1]["global_step"])
        raise RewindRun(error.diagnostics[0].message, folder, step, error.step + IN_A_ROW) from None


def rewinding(start: Callable[[], Run], again: Callable[[RunFolder, int, bool], Run], console: Console) -> Run:
    """Train to the end, with as many returns as it takes.

    again: goes on from a folder's last checkpoint, guarded up to a step, and told whether it may raise `RewindRun` too.
    """
    attempt = start
    returns: list[int] = []
    while True:
        try:
            return attempt()
        except RewindRun as found:
            if is_main_process():
                console.print(f"{found}; going back to step {found.checkpoint}", style="yellow", highlight=False)
            returns.append(found.checkpoint)
            folder, until = found.folder, found.until
        # Out here, where no traceback keeps what trained so far in memory; but it is in cycles.
        gc.collect()
        attempt = partial(again, folder, until, returns.count(returns[-1]) < REWINDS)
