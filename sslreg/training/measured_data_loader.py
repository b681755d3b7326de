"""A data loader that measures how long the training waits for its batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from sslreg.assembly.loading_times import MeasuredBatch
from sslreg.training.step_times import StepTimes


class MeasuredDataLoader(DataLoader[Any]):
    """A DataLoader that measures the phase ``waiting`` and takes `MeasuredBatch`es apart.

    Args:
        times: Receives the times.
    """

    def __init__(self, *args: Any, times: StepTimes | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.times = StepTimes() if times is None else times

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        clock = self.times.clock
        with clock.measure("waiting"):  # workers start
            items = super().__iter__()
        while True:
            with clock.measure("waiting"):
                item = next(items, items)
            if item is items:
                return
            if isinstance(item, MeasuredBatch):  # a worker that cannot send a batch sends an error instead
                self.times.loading.add(item.times)
                item = item.batch
            yield item
