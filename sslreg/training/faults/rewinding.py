"""Goes back to the last checkpoint when training has led to numbers that are not finite."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rich.console import Console

from sslreg.training.faults.not_finite import REWINDS
from sslreg.training.runs.folder import RunFolder
from sslreg.training.runs.run import Run


class RewindRun(Exception):  # noqa: N818  (it is no error: the run goes on)
    """Training is to go back.

    folder: the run's; checkpoint: the step it goes back to; until: the last step that is to be guarded.
    """

    def __init__(self, message: str, folder: RunFolder, checkpoint: int, until: int) -> None:
        super().__init__(message)
        self.folder = folder
        self.checkpoint = checkpoint
        self.until = until


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
            console.print(f"{found}; going back to step {found.checkpoint}", style="yellow", highlight=False)
            returns.append(found.checkpoint)
            folder, until = found.folder, found.until
        # Out here, where no traceback keeps what trained so far in memory.
        attempt = partial(again, folder, until, returns.count(returns[-1]) < REWINDS)
