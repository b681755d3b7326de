"""The position of a run in its data and its random numbers, which a checkpoint needs to resume exactly."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.training.checkpoints.random_states import get_generators, seed_generators, set_generators
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
            set_generators(self._generators[rank])
        else:
            seed_generators(self.seed + rank)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.epoch, self.batches = trainer.current_epoch, batch_idx + 1

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.epoch, self.batches = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Collect the generators of all processes, since one process writes the checkpoint. A collective call."""
        generators = all_gather_object(get_generators())
        return {"epoch": self.epoch, "batches": self.batches, "generators": generators}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch, self.batches = state_dict["epoch"], state_dict["batches"]
        self._generators = state_dict["generators"]
