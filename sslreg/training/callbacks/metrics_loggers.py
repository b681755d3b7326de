"""Passing the rows of metrics.csv to the spec's loggers."""

from __future__ import annotations

from collections.abc import Sequence

from lightning.pytorch.loggers import Logger

from sslreg.atomic_files import write_text
from sslreg.runs.folder import RunFolder
from sslreg.runs.metrics_file import MetricsFile
from sslreg.spec import Spec


def open_metrics_file(folder: RunFolder, spec: Spec, loggers: Sequence[Logger]) -> MetricsFile:
    """Open a run's metrics.csv. If there are loggers, they get its rows too.

    When the run is new, each logger gets the spec as hyperparameters, without the values of ``${env:…}``.
    """
    if not loggers:
        return MetricsFile(folder.metrics)
    if not folder.metrics.exists():
        for logger in loggers:
            logger.log_hyperparams(spec.to_dict())
    return LoggedMetricsFile(folder, loggers, spec.trainer.get("log_every_n_steps", 50))


class LoggedMetricsFile(MetricsFile):
    """A metrics.csv that passes its rows to loggers: every `every_steps`-th step, and all evaluations and epochs.

    ``logs/handed_on`` holds the number of rows that were passed on. A run that resumes from a checkpoint computes later
    rows again, and no logger may get a row twice.
    """

    def __init__(self, folder: RunFolder, loggers: Sequence[Logger], every_steps: int) -> None:
        super().__init__(folder.metrics)
        self.loggers = loggers
        self.every_steps = every_steps
        self._count_file = folder.path / "logs" / "handed_on"
        self._logged = int(self._count_file.read_text(encoding="utf-8")) if self._count_file.exists() else 0

    def append(self, rows: list[dict[str, float]]) -> None:
        first = len(self._rows)
        super().append(rows)
        new = rows[max(0, self._logged - first) :]
        for row in new:
            if "lr" not in row or row["step"] % self.every_steps == 0:
                self._log(row)
        for logger in self.loggers if new else ():
            logger.save()
        self._logged = max(self._logged, len(self._rows))
        self._count_file.parent.mkdir(exist_ok=True)
        write_text(self._count_file, str(self._logged))

    def _log(self, row: dict[str, float]) -> None:
        figures = {name: value for name, value in row.items() if name != "step"}
        for logger in self.loggers:
            logger.log_metrics(figures, step=int(row["step"]))
