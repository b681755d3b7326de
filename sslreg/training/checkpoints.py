"""Saves a run's state: the last one, and the best by a figure."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.training.recorder import Recorder
from sslreg.training.run_folder import RunFolder


class Checkpoints(Callback):
    """Writes ``last.ckpt`` every so many minutes and when training ends, however it ends.

    best: the name of an evaluation figure; whenever an evaluation raises it, ``best.ckpt`` is written as well. The
    figures are read from the recorder, so this callback comes after the evaluations.
    """

    def __init__(self, folder: RunFolder, every_minutes: float, recorder: Recorder, best: str | None = None) -> None:
        self.folder = folder
        self.every_seconds = 60 * every_minutes
        self.recorder = recorder
        self.best = best
        self._best_value = float("-inf")
        self._saved_at = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Each process named a folder by the time of its own start; the first one's was made.
        self.folder = trainer.strategy.broadcast(self.folder)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_last_batch:
            return  # what the epoch's end does has to come before its checkpoint
        if self._is_due(trainer):
            self.save_last(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._keep_best(trainer)
        if self._is_due(trainer):
            self.save_last(trainer)

    def _keep_best(self, trainer: lightning.Trainer) -> None:
        value = self.recorder.evaluated.get(self.best) if self.best else None
        if trainer.strategy.broadcast(value is not None and value > self._best_value):
            self._best_value = float("-inf") if value is None else value
            self._save(trainer, self.folder.checkpoints / "best.ckpt")

    def _is_due(self, trainer: lightning.Trainer) -> bool:
        # One clock decides for all ranks: saving is a collective call.
        return bool(trainer.strategy.broadcast(time.monotonic() - self._saved_at >= self.every_seconds))

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best_value}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best_value = state_dict["best"]

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._keep_best(trainer)
        self.save_last(trainer)

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        if isinstance(exception, KeyboardInterrupt) and trainer.world_size == 1:
            self.save_last(trainer)

    def save_last(self, trainer: lightning.Trainer) -> None:
        self.recorder.flush(trainer)
        self._save(trainer, self.folder.last_checkpoint)
        self._saved_at = time.monotonic()

    def _save(self, trainer: lightning.Trainer, path: Path) -> None:
        draft = path.with_name(f".{path.name}.draft")
        trainer.save_checkpoint(draft)
        if trainer.is_global_zero:
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
            draft.replace(path)
