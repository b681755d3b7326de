"""Lightning's trainer, as a spec asks for it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import lightning.pytorch as lightning
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities import rank_zero_only

from sslreg.assembly import Builder
from sslreg.runs.folder import RunFolder
from sslreg.spec import Spec
from sslreg.spec.cross_checks import HALF_MIXED, NO_HALF_ON_CPU
from sslreg.training.checkpoints.checkpoint_io import AtomicCheckpointIO
from sslreg.training.distributed.sync_batch_norm import SyncBatchNorm


def build_trainer(spec: Spec, folder: RunFolder) -> lightning.Trainer:
    """Lightning's trainer with the spec's keys.

    UserError: it refuses them, as when there is no such device, or would not do as they say.
    """
    trainer = _trainer(spec, folder)
    if trainer.strategy.root_device.type == "cpu" and spec.trainer.get("precision") in HALF_MIXED:
        # Lightning would take bf16-mixed instead without a word.
        raise spec.error(("trainer", "precision"), "wrong-value", *NO_HALF_ON_CPU)
    return trainer


def _trainer(spec: Spec, folder: RunFolder) -> lightning.Trainer:
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
        hint = "without trainer.accelerator and trainer.devices the best device there is is used" if at[1:] else None
        raise spec.error(at, "trainer", f"the trainer refuses this: {error}", hint) from error


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's remarks about itself away from the user; errors still come through."""
    # The last one is what Lightning speaks through once anything has imported it by its older name, as lightly does.
    names = ("lightning.pytorch", "lightning.fabric", "pytorch_lightning")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            # torch's, of a schedule that goes on where the very first step is left out, as it should.
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def is_main_process() -> bool:
    """Whether this process speaks for all that train together."""
    return int(getattr(rank_zero_only, "rank", None) or 0) == 0
