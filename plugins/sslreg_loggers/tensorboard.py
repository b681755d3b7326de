"""Lightning's TensorBoard logger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import sslreg
from sslreg_loggers._run_logs import log_folder, needs_package

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


@needs_package("tensorboard")
def tensorboard_logger(run_folder: Annotated[str, sslreg.FromRun("run_folder")]) -> Logger:
    """Write events to ``logs/tensorboard`` in the run's folder: ``tensorboard --logdir runs`` shows all runs.

    A resumed run adds another file of events, which TensorBoard shows in the same curve.

    Raises:
        ValueError: tensorboard is not installed.
    """
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(log_folder(run_folder), name="tensorboard", version="")
