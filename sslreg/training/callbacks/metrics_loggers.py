"""Hands what goes into metrics.csv on to the spec's loggers."""

from __future__ import annotations

from collections.abc import Sequence

from lightning.pytorch.loggers import Logger

from sslreg.runs.folder import RunFolder
from sslreg.runs.metrics_file import MetricsFile
from sslreg.spec import Spec


def metrics_file(folder: RunFolder, spec: Spec, loggers: Sequence[Logger]) -> MetricsFile:
    """A run's metrics.csv, whose rows reach the loggers too, if there are any.

    A logger is told the spec as hyperparameters when the run is new; the values of ``${env:…}`` stay out of it.
    """
    if not loggers:
        return MetricsFile(folder.metrics)
    if not folder.metrics.exists():
        for logger in loggers:
            logger.log_hyperparams(spec.to_dict())
    return LoggedMetrics(folder, loggers, spec.trainer.get("log_every_n_steps", 50))


class LoggedMetrics(MetricsFile):
    """A metrics.csv that hands on its rows: of steps each `every_steps`-th, of evaluations and of epochs all.

    How many rows have been handed on is kept in ``logs/handed_on``: a run that goes on from a checkpoint takes the rows
    behind it again, and no logger is to get a row twice.
    """

    def __init__(self, folder: RunFolder, loggers: Sequence[Logger], every_steps: int) -> None:
        super().__init__(folder.metrics)
        self.loggers = loggers
        self.every_steps = every_steps
        self._count_file = folder.path / "logs" / "handed_on"
        self._handed_on = int(self._count_file.read_text()) if self._count_file.exists() else 0

    def append(self, rows: list[dict[str, float]]) -> None:
        first = len(self._rows)
        super().append(rows)
        new = rows[max(0, self._handed_on - first) :]
        for row in new:
            if "lr" not in row or row["step"] % self.every_steps == 0:
                self._hand_on(row)
        for logger in self.loggers if new else ():
            logger.save()
        self._handed_on = max(self._handed_on, len(self._rows))
        self._count_file.parent.mkdir(exist_ok=True)
        self._count_file.write_text(str(self._handed_on))

    def _hand_on(self, row: dict[str, float]) -> None:
        figures = {name: value for name, value in row.items() if name != "step"}
        for logger in self.loggers:
            logger.log_metrics(figures, step=int(row["step"]))
