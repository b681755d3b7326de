"""Lightning's CSV logger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import sslreg
from sslreg_loggers._run_logs import log_folder

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


def csv_logger(run_folder: Annotated[str, sslreg.FromRun("run_folder")]) -> Logger:
    """Write ``logs/csv/metrics.csv`` and ``logs/csv/hparams.yaml`` in the run's folder.

    The files have the format of Lightning's CSVLogger. A resumed run appends to them.
    """
    from sslreg_loggers._csv_logger import AppendingCSVLogger

    return AppendingCSVLogger(log_folder(run_folder), name="csv", version="")
