"""A Weights & Biases logger with which a resumed run continues under its ID."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.loggers import WandbLogger

from sslreg_loggers._run_logs import RunIDFile


class ResumableWandbLogger(WandbLogger):
    """A logger that continues the run with the stored ID. The ID of a new run is stored with its hyperparameters."""

    def __init__(self, id_file: RunIDFile, **arguments: Any) -> None:
        super().__init__(id=id_file.read(), **arguments)
        self.id_file = id_file

    def log_hyperparams(self, params: Any) -> None:
        super().log_hyperparams(params)
        self.id_file.write(str(self.experiment.id))
