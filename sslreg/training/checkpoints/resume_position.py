"""Where a run stands in its data and its randomness: what a checkpoint needs to go on exactly."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from sslreg.training.distributed.collectives import gathered


class ResumePosition(Callback):
    """Counts what has been trained on, and carries the states of torch's, NumPy's and Python's generators.

    epoch: the epoch that the next batch belongs to; batches: how many of it are done. The order of the samples follows
    from seed and epoch, so these two numbers say which sample is next, whatever the loader had fetched ahead.

    The generators are set when training starts, which is after the loader has begun its pass: to what the checkpoint
    has for this process, or else, in a new run and where more processes go on than before, by the seed (and the rank,
    so that dropout differs between processes).
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.epoch = 0
        self.batches = 0
        self._generators: list[dict[str, Any]] = []

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        rank = trainer.global_rank
        if rank < len(self._generators):
            _set_generators(self._generators[rank])
        else:
            _seed_generators(self.seed + rank)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.epoch, self.batches = trainer.current_epoch, batch_idx + 1

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.epoch, self.batches = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """A collective call: every process has generators of its own, and one writes the checkpoint."""
        return {"epoch": self.epoch, "batches": self.batches, "generators": gathered(_generators())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch, self.batches = state_dict["epoch"], state_dict["batches"]
        self._generators = state_dict["generators"]


@contextmanager
def generators_kept() -> Iterator[None]:
    """What is done within draws what it likes; the generators are then as they were."""
    states = _generators()
    try:
        yield
    finally:
        _set_generators(states)


def _seed_generators(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def _generators() -> dict[str, Any]:
    """The states, of CUDA that of one device, in types that a checkpoint may hold without being able to run code."""
    name, words, *rest = np.random.get_state(legacy=True)
    version, numbers, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "numpy": [name, torch.from_numpy(np.asarray(words).astype(np.int64)), *rest],
        "python": [version, list(numbers), gauss],
    }


def _set_generators(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    name, words, *rest = states["numpy"]
    np.random.set_state((name, words.numpy().astype(np.uint32), *rest))
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
