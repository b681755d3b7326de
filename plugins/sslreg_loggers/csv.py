"""A CSV file by Lightning's logger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import sslreg
from sslreg_loggers._log_paths import logs

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


def csv_logger(run_folder: Annotated[str, sslreg.FromRun("run_folder")]) -> Logger:
    """Writes ``logs/csv/metrics.csv`` and ``logs/csv/hparams.yaml`` in the run's folder.

    Whatever reads the files of Lightning's CSVLogger reads these. A resumed run adds to them.
    """
    from sslreg_loggers._appending_csv import AppendingCSVLogger

    return AppendingCSVLogger(logs(run_folder), name="csv", version="")
