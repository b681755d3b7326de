"""Lightning's trainer, built from a spec."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import lightning.pytorch as lightning
from lightning.fabric.utilities.exceptions import MisconfigurationException

from sslreg.assembly import Builder
from sslreg.runs.folder import RunFolder
from sslreg.spec import Spec
from sslreg.training.checkpoints.lightning_checkpoint_io import AtomicCheckpointIO
from sslreg.training.distributed.sync_batch_norm import SyncBatchNorm


def build_trainer(spec: Spec, folder: RunFolder) -> lightning.Trainer:
    """Build Lightning's trainer with the options under `trainer` in the spec.

    Raises:
        UserError: Lightning refuses the options, for example because a device is missing, or would ignore one.
    """
    loggers = [Builder(spec, {"run_folder": str(folder.path)}).build(component) for component in spec.loggers]
    try:
        return lightning.Trainer(
            **spec.trainer,
            logger=loggers or False,
            default_root_dir=folder.path,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            plugins=[AtomicCheckpointIO(), *([SyncBatchNorm()] if spec.trainer.get("sync_batchnorm") else [])],
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        at = next((("trainer", key) for key in ("accelerator", "devices") if key in spec.trainer), ("trainer",))
        hint = "omit trainer.accelerator and trainer.devices to use the best device" if at[1:] else None
        raise spec.error(at, "trainer", f"the trainer refuses this: {error}", hint) from error


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Hide Lightning's messages about itself during the block, except for errors."""
    # Lightning uses the last logger once anything has imported it by its older name, as lightly does.
    names = ("lightning.pytorch", "lightning.fabric", "pytorch_lightning")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            # torch warns if a schedule advances although the very first optimizer step was skipped, which is correct.
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
