"""Lightning's logger for Weights & Biases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import sslreg
from sslreg_loggers._run_logs import RunIDFile, log_folder, needs_package, run_title

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


@needs_package("wandb")
def wandb_logger(
    run_folder: Annotated[str, sslreg.FromRun("run_folder")],
    project: str = "sslreg",
    entity: str | None = None,
    offline: bool = False,
) -> Logger:
    """Send figures to Weights & Biases. Its files are under ``logs`` in the run's folder.

    The API key comes from `wandb login` or the environment variable WANDB_API_KEY; it does not belong in a spec. A
    resumed run continues the same run there.

    Args:
        project: the project in which the run appears.
        entity: the user or team that owns the project, by default the user who is logged in.
        offline: keep everything in the folder, for `wandb sync` to send later.

    Raises:
        ValueError: wandb is not installed.
    """
    from sslreg_loggers._resumable_wandb import ResumableWandbLogger

    return ResumableWandbLogger(
        RunIDFile(run_folder, "wandb"),
        name=run_title(run_folder),
        project=project,
        entity=entity,
        offline=offline,
        save_dir=log_folder(run_folder),
    )
