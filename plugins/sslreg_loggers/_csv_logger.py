"""A CSV logger that appends to its file when a run resumes."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger


class AppendingCSVLogger(CSVLogger):
    """Lightning's CSV logger, which by itself would start its file anew."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """Lightning's writer, which appends to the file that exists.

        The writer removes an existing file when it is created, so that file is renamed in the meantime.
        """
        if self._experiment is not None:
            return self._experiment
        file = Path(self.log_dir) / "metrics.csv"
        if not file.exists():
            return super().experiment
        renamed = file.rename(file.with_name("metrics.earlier.csv"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            writer = super().experiment
        renamed.rename(file)
        with file.open(newline="") as stream:
            writer.metrics_keys = next(csv.reader(stream), [])
        return writer
