"""Lightning's CSV logger, which would begin its file anew when a run goes on, made to add to it."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger


class AppendingCSVLogger(CSVLogger):
    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """Lightning's writer. It removes a file that is there when it is made, so an earlier one steps aside."""
        if self._experiment is not None:
            return self._experiment
        file = Path(self.log_dir) / "metrics.csv"
        if not file.exists():
            return super().experiment
        aside = file.rename(file.with_name("metrics.earlier.csv"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            writer = super().experiment
        aside.rename(file)
        with file.open(newline="") as stream:
            writer.metrics_keys = next(csv.reader(stream), [])
        return writer
