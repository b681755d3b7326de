"""MLflow by Lightning's logger."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import sslreg
from sslreg_loggers._log_paths import Memory, logs, require, title

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


def mlflow_logger(
    run_folder: Annotated[str, sslreg.FromRun("run_folder")],
    experiment: str = "sslreg",
    tracking_uri: str | None = None,
) -> Logger:
    """Sends figures to MLflow. A resumed run goes on in the same run there.

    experiment: where the run appears.
    tracking_uri: the server or store; by default the variable MLFLOW_TRACKING_URI, else ``logs/mlflow.db`` in the run's
        folder, which ``mlflow ui --backend-store-uri sqlite:///RUN/logs/mlflow.db`` shows.

    ValueError: mlflow is not installed.
    """
    require("mlflow")
    from sslreg_loggers._resumable import ResumableMLFlowLogger

    here = logs(run_folder).absolute()
    given = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    return ResumableMLFlowLogger(
        Memory(run_folder, "mlflow"),
        experiment_name=experiment,
        run_name=title(run_folder),
        tracking_uri=given or f"sqlite:///{here}/mlflow.db",
        artifact_location=None if given else (here / "mlflow").as_uri(),
    )
