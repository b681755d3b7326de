"""Writes what the steps measured to metrics.csv, and stops a run whose loss is no number."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from sslreg.runs.metrics_file import MetricsFile
from sslreg.training.callbacks.non_finite_guard import Guard, non_finite
from sslreg.training.lightning_module import TrainingModule


class MetricsRecorder(Callback):
    """Collects one row a step and writes the rows every `every_steps` steps and at an epoch's end.

    Reading a figure waits for the device, which is why rows are not written one by one. A loss that is not finite is
    noticed when its row is written, and rows are written before a checkpoint, so a checkpoint is from before it.

    Of several processes all keep rows and one writes their mean: `flush` is a collective call.

    A step that `guard` left out has a row without figures.

    file: None where another process writes. latest: the last step's row as written; evaluated: the latest figure of
    each evaluation. source: what computes the loss, for an error's message.
    """

    def __init__(self, file: MetricsFile | None, every_steps: int, source: str, guard: Guard | None = None) -> None:
        self.file = file
        self.guard = guard
        self.source = source
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
        is_left_out = self.guard is not None and self.guard.last_left_out
        self._pending.append(
            {
                "step": self._step,
                "epoch": trainer.current_epoch,
                **({} if is_left_out else outputs["figures"]),
                "lr": pl_module.learning_rate,
            }
        )
        if len(self._pending) >= self.every_steps:
            self.flush(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.flush(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {"latest": self.latest, "evaluated": self.evaluated, "rows": 0 if self.file is None else len(self.file)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.latest, self.evaluated = state_dict["latest"], state_dict["evaluated"]

    def flush(self, trainer: lightning.Trainer) -> None:
        """Write the rows that are waiting. NonFiniteError: a loss among them is not finite."""
        if not self._pending:
            return
        rows = _averaged(self._pending, trainer)
        self._pending.clear()
        if self.file is not None:
            self.file.append(rows)
        for row in rows:
            if "loss" in row:
                self.latest = row
                if not math.isfinite(row["loss"]):
                    step = int(row["step"])
                    raise non_finite(f"the loss is {row['loss']} at step {step} ({self.source})", step)

    def sync(self) -> None:
        """Have the disk hold all rows that were written."""
        if self.file is not None:
            self.file.sync()

    def record_evaluation(self, row: dict[str, float]) -> None:
        """Write an evaluation's figures, with the step and the epoch that they belong to."""
        if self.file is not None:
            self.file.append([row])
        self.evaluated.update((name, value) for name, value in row.items() if name not in ("step", "epoch"))


def _averaged(pending: list[dict[str, Any]], trainer: lightning.Trainer) -> list[dict[str, float]]:
    """The rows with their tensors as numbers, each the mean over all processes, read off the device at once."""
    tensors = [[value.float() for value in row.values() if isinstance(value, Tensor)] for row in pending]
    if not any(tensors):
        return list(pending)
    flat = torch.stack([value for row in tensors for value in row])
    means = iter(trainer.strategy.reduce(flat, reduce_op="mean").tolist())
    return [
        {name: next(means) if isinstance(value, Tensor) else value for name, value in row.items()} for row in pending
    ]
