"""Where a run stands in its data and its randomness: what a checkpoint needs to go on exactly."""

from __future__ import annotations

import random
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback


class Position(Callback):
    """Counts what has been trained on, and carries the states of torch's, NumPy's and Python's generators.

    epoch: the epoch that the next batch belongs to; batches: how many of it are done. The order of the samples follows
    from seed and epoch, so these two numbers say which sample is next, whatever the loader had fetched ahead.

    The generators are set when training starts, which is after the loader has begun its pass: to what the checkpoint
    has, or in a new run by its seed (and the rank, so that dropout differs between processes).
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.epoch = 0
        self.batches = 0
        self._generators: dict[str, Any] | None = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._generators is None:
            _seed_generators(self.seed + trainer.global_rank)
        else:
            _set_generators(self._generators)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.epoch, self.batches = trainer.current_epoch, batch_idx + 1

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.epoch, self.batches = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "batches": self.batches, "generators": _generators()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch, self.batches = state_dict["epoch"], state_dict["batches"]
        self._generators = state_dict["generators"]


def _seed_generators(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def _generators() -> dict[str, Any]:
    """The states, of types that a checkpoint may hold without being able to run code."""
    name, words, *rest = np.random.get_state(legacy=True)
    version, numbers, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [name, torch.from_numpy(np.asarray(words).astype(np.int64)), *rest],
        "python": [version, list(numbers), gauss],
    }


def _set_generators(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    name, words, *rest = states["numpy"]
    np.random.set_state((name, words.numpy().astype(np.uint32), *rest))
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
