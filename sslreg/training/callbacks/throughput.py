"""The speed of a run, and the share of time that it waits for data."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback


class Throughput(Callback):
    """A clock for the training loop.

    Attributes:
        images: The number of samples trained on.
        seconds: The time spent on them, without evaluations and checkpoints.
        waiting: The part of `seconds` between the end of a step and the start of the next, in which the loader is
            asked for a batch.
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.images = 0
        self.seconds = 0.0
        self.waiting = 0.0
        self._lap_start: float | None = None

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def waiting_share(self) -> float:
        """The share of `seconds` spent waiting, between 0 and 1."""
        return self.waiting / self.seconds if self.seconds else 0.0

    def pause(self) -> None:
        """Discard the time since the last step, after work other than training."""
        self._lap_start = None

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._lap_start = time.perf_counter()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.waiting += self._measure_lap()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._measure_lap()
        self.images += self.batch_size

    def state_dict(self) -> dict[str, Any]:
        return {"images": self.images, "seconds": self.seconds, "waiting": self.waiting}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.images, self.seconds, self.waiting = (state_dict[name] for name in ("images", "seconds", "waiting"))

    def _measure_lap(self) -> float:
        now = time.perf_counter()
        lap = 0.0 if self._lap_start is None else now - self._lap_start
        self._lap_start = now
        self.seconds += lap
        return lap
