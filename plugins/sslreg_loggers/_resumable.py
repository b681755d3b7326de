"""Loggers of services that give a run an identity, by which a resumed run finds it again."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, WandbLogger

from sslreg_loggers._log_paths import Memory


class ResumableWandbLogger(WandbLogger):
    """Goes on with the run that `memory` knows; a new run is remembered when it is told its hyperparameters."""

    def __init__(self, memory: Memory, **arguments: Any) -> None:
        super().__init__(id=memory.read(), **arguments)
        self.memory = memory

    def log_hyperparams(self, params: Any) -> None:
        super().log_hyperparams(params)
        self.memory.write(str(self.experiment.id))


class ResumableMLFlowLogger(Logger):
    """The same for MLflow, whose own logger opens its store at once: this one waits until there is something to log."""

    def __init__(self, memory: Memory, **arguments: Any) -> None:
        super().__init__()
        self.memory = memory
        self.arguments = arguments

    @cached_property
    def logger(self) -> MLFlowLogger:
        """Lightning's."""
        self.memory.path.parent.mkdir(parents=True, exist_ok=True)
        return MLFlowLogger(run_id=self.memory.read(), **self.arguments)

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
        self.memory.write(str(self.logger.run_id))

    def finalize(self, status: str) -> None:
        if "logger" in vars(self):
            self.logger.finalize(status)
