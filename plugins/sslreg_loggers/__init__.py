"""The default loggers: Lightning's, in addition to the metrics.csv in the run's folder."""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.logger("csv", "sslreg_loggers.csv:csv_logger", summary="figures in a CSV file, as Lightning writes it")
    registry.logger("tensorboard", "sslreg_loggers.tensorboard:tensorboard_logger", summary="figures for TensorBoard")
    registry.logger("wandb", "sslreg_loggers.wandb:wandb_logger", summary="figures on Weights & Biases")
    registry.logger("mlflow", "sslreg_loggers.mlflow:mlflow_logger", summary="figures in MLflow")
