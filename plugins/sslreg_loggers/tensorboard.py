"""TensorBoard by Lightning's logger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import sslreg
from sslreg_loggers._log_paths import logs, require

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


def tensorboard_logger(run_folder: Annotated[str, sslreg.FromRun("run_folder")]) -> Logger:
    """Writes events to ``logs/tensorboard`` in the run's folder: ``tensorboard --logdir runs`` shows all runs.

    A resumed run adds a file of events beside those that are there, which TensorBoard shows as one run. ValueError:
    tensorboard is not installed.
    """
    require("tensorboard")
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(logs(run_folder), name="tensorboard", version="")
