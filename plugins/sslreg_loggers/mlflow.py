"""Lightning's MLflow logger."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import sslreg
from sslreg_loggers._run_logs import RunIDFile, log_folder, needs_package, run_title

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


@needs_package("mlflow")
def mlflow_logger(
    run_folder: Annotated[str, sslreg.FromRun("run_folder")],
    experiment: str = "sslreg",
    tracking_uri: str | None = None,
) -> Logger:
    """Send figures to MLflow. A resumed run continues the same run there.

    Args:
        experiment: the experiment under which the run appears.
        tracking_uri: the server or store. By default the environment variable MLFLOW_TRACKING_URI, or else
            ``logs/mlflow.db`` in the run's folder, which ``mlflow ui --backend-store-uri
            sqlite:///RUN/logs/mlflow.db`` shows.

    Raises:
        ValueError: mlflow is not installed.
    """
    from sslreg_loggers._resumable_mlflow import ResumableMLFlowLogger

    folder = log_folder(run_folder).absolute()
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    return ResumableMLFlowLogger(
        RunIDFile(run_folder, "mlflow"),
        experiment_name=experiment,
        run_name=run_title(run_folder),
        tracking_uri=uri or f"sqlite:///{folder}/mlflow.db",
        artifact_location=None if uri else (folder / "mlflow").as_uri(),
    )
