"""The position of a run in its data and its random numbers, which a checkpoint needs to resume exactly."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from sslreg.training.distributed.collectives import all_gather_object


class ResumePosition(Callback):
    """A callback that counts finished batches and saves the generator states of torch, NumPy and Python.

    The order of the samples follows from seed and epoch, so that `epoch` and `batches` determine the next sample,
    whatever the data loader had prefetched.

    The generators are set when training starts, after the data loader has begun its pass. They get the states that the
    checkpoint has for this process. In a new run, or if a run resumes in more processes than before, they are seeded
    with seed + rank, so that dropout differs between processes.

    Attributes:
        epoch: The epoch that the next batch belongs to.
        batches: The number of batches of that epoch that are done.
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
        """Collect the generators of all processes, since one process writes the checkpoint. A collective call."""
        generators = all_gather_object(_get_generators())
        return {"epoch": self.epoch, "batches": self.batches, "generators": generators}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch, self.batches = state_dict["epoch"], state_dict["batches"]
        self._generators = state_dict["generators"]


@contextmanager
def preserve_generators() -> Iterator[None]:
    """Restore the states of the generators after the block."""
    states = _get_generators()
    try:
        yield
    finally:
        _set_generators(states)


def _seed_generators(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def _get_generators() -> dict[str, Any]:
    """Return the states, for CUDA that of one device, in types that can be loaded without running code."""
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
