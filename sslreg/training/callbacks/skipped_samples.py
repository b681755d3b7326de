"""The list of samples that could not be read, for `data.on_error: skip`."""

from __future__ import annotations

import csv
import io
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.assembly import SampleDataset
from sslreg.atomic_files import append_text
from sslreg.contracts import Batch
from sslreg.escaping import escape_text
from sslreg.runs.folder import RunFolder
from sslreg.training.distributed.collectives import all_gather_object
from sslreg.views import SKIPPED, Skipped

#: Batches after which several processes gather the samples that they skipped.
GATHER_EVERY = 50


class SkippedSamples(Callback):
    """A callback that writes ``skipped.csv`` (index, name, reason) with one row per skipped sample, in UTF-8 with
    escapes (`sslreg.escape_text`).

    A single process writes at once. Of several, the main one writes for all, every `GATHER_EVERY` batches and whenever
    the state is saved.

    Attributes:
        count: How often a sample was replaced by another, over all epochs and processes.
    """

    def __init__(self, folder: RunFolder, samples: SampleDataset) -> None:
        self.path = folder.path / "skipped.csv"
        self.samples = samples
        self.count = 0
        self._listed: set[int] = set()
        self._pending: list[Skipped] = []
        self._is_main = True

    def state_dict(self) -> dict[str, Any]:
        """Gather and write what is pending, and return the state. A collective call."""
        self._gather()
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
        if trainer.world_size == 1 or (batch_idx + 1) % GATHER_EVERY == 0:
            self._gather()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._gather()

    def _gather(self) -> None:
        skipped = [sample for of_rank in all_gather_object(self._pending) for sample in of_rank]
        self._pending = []
        self.count += len(skipped)
        new = list({sample.index: sample for sample in skipped if sample.index not in self._listed}.values())
        self._listed.update(sample.index for sample in new)
        if new and self._is_main:
            self._write(new)

    def _write(self, skipped: list[Skipped]) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if not self.path.exists():
            writer.writerow(["index", "name", "reason"])
        writer.writerows(
            [sample.index, escape_text(self.samples.name(sample.index)), escape_text(sample.reason)]
            for sample in skipped
        )
        append_text(self.path, text.getvalue())
