"""Recording the figures of steps and evaluations in metrics.csv, and stopping at a loss that is not finite."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from sslreg.runs.metrics_file import MetricsFile
from sslreg.training.callbacks.non_finite_guard import NonFiniteGuard, non_finite_error


class MetricsRecorder(Callback):
    """A callback that collects one row per step and writes rows every `every_steps` steps and at the end of an epoch.

    Reading a figure waits for the device, so rows are not written one by one. A loss that is not finite is noticed when
    its row is written. Rows are written before a checkpoint, so that no checkpoint comes after such a loss.

    All of several processes keep rows, and one writes their mean: `flush` is a collective call. A step that the guard
    skipped has a row without figures.

    Args:
        file: The file to write, None if another process writes it.
        every_steps: The number of steps between two writes.
        source: The components that compute the loss, for an error's message.
        guard: The guard that may skip steps.

    Attributes:
        latest: The last step's row as written.
        evaluated: The latest figure of each evaluation.
    """

    def __init__(
        self, file: MetricsFile | None, every_steps: int, source: str, guard: NonFiniteGuard | None = None
    ) -> None:
        self.file = file
        self.guard = guard
        self.source = source
        self.every_steps = every_steps
        self.latest: dict[str, float] = {}
        self.evaluated: dict[str, float] = {}
        self._evaluated_at: dict[str, int] = {}
        self._pending: list[dict[str, Any]] = []
        self._step = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._step = trainer.global_step

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._step:
            return  # gradients are accumulating; the row belongs to the step
        self._step = trainer.global_step
        is_skipped = self.guard is not None and self.guard.skipped_last_step
        self._pending.append(
            {
                "step": self._step,
                "epoch": trainer.current_epoch,
                **({} if is_skipped else outputs["figures"]),
                **_scheduled_options(trainer),
            }
        )
        if len(self._pending) >= self.every_steps:
            self.flush(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.flush(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {
            "latest": self.latest,
            "evaluated": self.evaluated,
            "evaluated_at": self._evaluated_at,
            "rows": 0 if self.file is None else len(self.file),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.latest, self.evaluated = state_dict["latest"], state_dict["evaluated"]
        self._evaluated_at = state_dict["evaluated_at"]

    def flush(self, trainer: lightning.Trainer) -> None:
        """Write the pending rows. Raises NonFiniteError if a loss among them is not finite."""
        if not self._pending:
            return
        rows = _average_rows(self._pending, trainer)
        self._pending.clear()
        if self.file is not None:
            self.file.append(rows)
        for row in rows:
            if "loss" in row:
                self.latest = row
                if not math.isfinite(row["loss"]):
                    step = int(row["step"])
                    raise non_finite_error(f"the loss is {row['loss']} at step {step} ({self.source})", step)

    def sync(self) -> None:
        """Flush all written rows to the disk."""
        if self.file is not None:
            self.file.sync()

    def record_evaluation(self, row: dict[str, float]) -> None:
        """Write the figures of an evaluation, together with its step and epoch."""
        if self.file is not None:
            self.file.append([row])
        figures = {name: value for name, value in row.items() if name not in ("step", "epoch")}
        self.evaluated.update(figures)
        self._evaluated_at.update(dict.fromkeys(figures, int(row["step"])))

    def figures_at(self, step: int) -> dict[str, float]:
        """Return the figures of the evaluations after a step, and those of the latest step with a loss."""
        latest = {name: value for name, value in self.latest.items() if name not in ("step", "epoch")}
        return latest | {name: self.evaluated[name] for name, at in self._evaluated_at.items() if at == step}


def _scheduled_options(trainer: lightning.Trainer) -> dict[str, float]:
    """Return the learning rate of the first group whose rate is not fixed, and the largest value of other options.

    Options that are no numbers, such as Adam's betas, are left out.
    """
    groups: list[dict[str, Any]] = trainer.optimizers[0].param_groups
    rates = [group["lr"] for group in groups if not group.get("fixed_lr")] or [groups[0]["lr"]]
    figures = {"lr": float(rates[0])}
    for option in sorted({getattr(config.scheduler, "changes", "lr") for config in trainer.lr_scheduler_configs}):
        values = [group[option] for group in groups if isinstance(group.get(option), int | float | Tensor)]
        if option != "lr" and values:
            figures[option] = max(map(float, values))
    return figures


def _average_rows(pending: list[dict[str, Any]], trainer: lightning.Trainer) -> list[dict[str, float]]:
    """Return the rows with their tensors as means over all processes. They are read from the device at once."""
    tensors = [[value.float() for value in row.values() if isinstance(value, Tensor)] for row in pending]
    if not any(tensors):
        return list(pending)
    flat = torch.stack([value for row in tensors for value in row])
    means = iter(trainer.strategy.reduce(flat, reduce_op="mean").tolist())
    return [
        {name: next(means) if isinstance(value, Tensor) else value for name, value in row.items()} for row in pending
    ]
