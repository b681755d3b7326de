"""Lists the samples that could not be read, where the spec says to go on without them."""

from __future__ import annotations

import csv
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.assembly import SampleDataset
from sslreg.contracts import Batch
from sslreg.training.run_folder import RunFolder
from sslreg.views import SKIPPED


class SkippedSamples(Callback):
    """Writes ``skipped.csv`` (index, name, reason), a line for each sample the first time that it is skipped.

    count: how often a sample was replaced by another, over all epochs.
    """

    def __init__(self, folder: RunFolder, samples: SampleDataset) -> None:
        self.path = folder.path / "skipped.csv"
        self.samples = samples
        self.count = 0
        self._listed: set[int] = set()

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "listed": sorted(self._listed)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.count, self._listed = state_dict["count"], set(state_dict["listed"])

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        skipped = batch.extras.get(SKIPPED, [])
        self.count += len(skipped)
        new = [one for one in skipped if one.index not in self._listed]
        if not new:
            return
        is_first = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if is_first:
                writer.writerow(["index", "name", "reason"])
            writer.writerows([one.index, self.samples.name(one.index), one.reason] for one in new)
        self._listed.update(one.index for one in new)
