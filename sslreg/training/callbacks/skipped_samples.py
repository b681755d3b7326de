"""Lists the samples that could not be read, where the spec says to go on without them."""

from __future__ import annotations

import csv
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.assembly import SampleDataset
from sslreg.contracts import Batch
from sslreg.runs.folder import RunFolder
from sslreg.training.distributed.collectives import gathered
from sslreg.views import SKIPPED, Skipped

#: After how many batches several processes put together what they skipped.
TOGETHER_EVERY = 50


class SkippedSamples(Callback):
    """Writes ``skipped.csv`` (index, name, reason), a line for each sample the first time that it is skipped.

    One process writes at once. Of several, the main one writes for all, now and then and whenever the state is saved.

    count: how often a sample was replaced by another, over all epochs and processes.
    """

    def __init__(self, folder: RunFolder, samples: SampleDataset) -> None:
        self.path = folder.path / "skipped.csv"
        self.samples = samples
        self.count = 0
        self._listed: set[int] = set()
        self._pending: list[Skipped] = []
        self._is_main = True

    def state_dict(self) -> dict[str, Any]:
        """A collective call, after which nothing is pending."""
        self._put_together()
        return {"count": self.count, "listed": sorted(self._listed)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.count, self._listed = state_dict["count"], set(state_dict["listed"])

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._is_main = trainer.is_global_zero

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        self._pending += batch.extras.get(SKIPPED, [])
        if trainer.world_size == 1 or (batch_idx + 1) % TOGETHER_EVERY == 0:
            self._put_together()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._put_together()

    def _put_together(self) -> None:
        skipped = [one for of_rank in gathered(self._pending) for one in of_rank]
        self._pending = []
        self.count += len(skipped)
        new = list({one.index: one for one in skipped if one.index not in self._listed}.values())
        self._listed.update(one.index for one in new)
        if new and self._is_main:
            self._write(new)

    def _write(self, new: list[Skipped]) -> None:
        is_first = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if is_first:
                writer.writerow(["index", "name", "reason"])
            writer.writerows([one.index, self.samples.name(one.index), one.reason] for one in new)
