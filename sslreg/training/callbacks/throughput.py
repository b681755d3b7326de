"""How fast a run goes, and how much of the time it waits for data."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback


class Throughput(Callback):
    """Clocks the training loop from the outside.

    images: samples trained on; seconds: time spent on that, without evaluations and checkpoints; waiting: the part of
    `seconds` between a step's end and the next one's start, which is when the loader is asked for a batch.
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.images = 0
        self.seconds = 0.0
        self.waiting = 0.0
        self._since: float | None = None

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def waiting_share(self) -> float:
        """Between 0 and 1."""
        return self.waiting / self.seconds if self.seconds else 0.0

    def pause(self) -> None:
        """Forget the time since the last step; whoever does something else than training says so."""
        self._since = None

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._since = time.perf_counter()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.waiting += self._lap()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._lap()
        self.images += self.batch_size

    def state_dict(self) -> dict[str, Any]:
        return {"images": self.images, "seconds": self.seconds, "waiting": self.waiting}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.images, self.seconds, self.waiting = (state_dict[name] for name in ("images", "seconds", "waiting"))

    def _lap(self) -> float:
        now = time.perf_counter()
        lap = 0.0 if self._since is None else now - self._since
        self._since = now
        self.seconds += lap
        return lap
