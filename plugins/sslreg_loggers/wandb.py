"""Weights & Biases by Lightning's logger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import sslreg
from sslreg_loggers._log_paths import Memory, logs, require, title

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


def wandb_logger(
    run_folder: Annotated[str, sslreg.FromRun("run_folder")],
    project: str = "sslreg",
    entity: str | None = None,
    offline: bool = False,
) -> Logger:
    """Sends figures to Weights & Biases; its files are under ``logs`` in the run's folder.

    The key is `wandb login`'s, or in the variable WANDB_API_KEY; it has no place in a spec. A resumed run goes on in
    the same run there.

    project: where the run appears; entity: whose project it is, by default one's own.
    offline: keep everything in the folder, for `wandb sync` to send later.

    ValueError: wandb is not installed.
    """
    require("wandb")
    from sslreg_loggers._resumable import ResumableWandbLogger

    return ResumableWandbLogger(
        Memory(run_folder, "wandb"),
        name=title(run_folder),
        project=project,
        entity=entity,
        offline=offline,
        save_dir=logs(run_folder),
    )
