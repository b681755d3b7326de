"""An MLflow logger with which a resumed run continues under its ID."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger

from sslreg_loggers._run_logs import RunIDFile


class ResumableMLFlowLogger(Logger):
    """A logger that continues the run with the stored ID.

    It opens its store when there is something to log; Lightning's logger opens it at once.
    """

    def __init__(self, id_file: RunIDFile, **arguments: Any) -> None:
        super().__init__()
        self.id_file = id_file
        self.arguments = arguments

    @cached_property
    def logger(self) -> MLFlowLogger:
        """Lightning's logger."""
        self.id_file.path.parent.mkdir(parents=True, exist_ok=True)
        return MLFlowLogger(run_id=self.id_file.read(), **self.arguments)

    @property
    def name(self) -> str | None:
        return self.logger.name

    @property
    def version(self) -> str | None:
        return self.logger.version

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.logger.log_metrics(metrics, step)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self.logger.log_hyperparams(params)
        self.id_file.write(str(self.logger.run_id))

    def finalize(self, status: str) -> None:
        if "logger" in vars(self):
            self.logger.finalize(status)
