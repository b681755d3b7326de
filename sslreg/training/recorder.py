"""Writes what the steps measured to metrics.csv, and stops a run whose loss is no number."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.errors import SslregError
from sslreg.training.metrics import MetricsFile
from sslreg.training.module import TrainingModule


class Recorder(Callback):
    """Collects one row a step and writes the rows every `every_steps` steps and at an epoch's end.

    Reading a figure waits for the device, which is why rows are not written one by one. A loss that is not finite is
    noticed when its row is written, and rows are written before a checkpoint, so a checkpoint is from before it.

    latest: the last step's row as written; evaluated: the latest figure of each evaluation.
    """

    def __init__(self, file: MetricsFile, every_steps: int) -> None:
        self.file = file
        self.every_steps = every_steps
        self.latest: dict[str, float] = {}
        self.evaluated: dict[str, float] = {}
        self._pending: list[dict[str, Any]] = []
        self._step = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._step = trainer.global_step

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._step:
            return  # gradients are accumulating; the row belongs to the step
        assert isinstance(pl_module, TrainingModule)
        self._step = trainer.global_step
        self._pending.append(
            {
                "step": self._step,
                "epoch": trainer.current_epoch,
                **outputs["figures"],
                "lr": pl_module.learning_rate,
            }
        )
        if len(self._pending) >= self.every_steps:
            self.flush()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.flush()

    def state_dict(self) -> dict[str, Any]:
        return {"latest": self.latest, "evaluated": self.evaluated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.latest, self.evaluated = state_dict["latest"], state_dict["evaluated"]

    def flush(self) -> None:
        """Write the rows that are waiting. SslregError: a loss among them is not finite."""
        rows = [
            {name: value if isinstance(value, int) else float(value) for name, value in row.items()}
            for row in self._pending
        ]
        self._pending.clear()
        if not rows:
            return
        self.file.append(rows)
        self.latest = rows[-1]
        for row in rows:
            if not math.isfinite(row["loss"]):
                raise SslregError(
                    f"the loss is {row['loss']} at step {row['step']}",
                    hint="lower the learning rate, clip with trainer.gradient_clip_val, or train in 32-true precision",
                    code="loss-not-finite",
                )

    def record_evaluation(self, row: dict[str, float]) -> None:
        """Write an evaluation's figures, with the step and the epoch that they belong to."""
        self.file.append([row])
        self.evaluated.update((name, value) for name, value in row.items() if name not in ("step", "epoch"))
