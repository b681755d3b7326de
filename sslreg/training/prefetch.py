"""A data loader that prepares the next batch on the device while the current one is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import torch

from sslreg.training.measured_data_loader import MeasuredDataLoader
from sslreg.views import DeferredBatch

Item = TypeVar("Item")
Result = TypeVar("Result")


class PrefetchingDataLoader(MeasuredDataLoader):
    """A DataLoader that starts each `DeferredBatch` on the device one step before it is trained on.

    A step that waits for the device, for example to read its loss, would otherwise leave the device idle until the next
    batch is copied and computed. The device holds one more batch.
    """

    def __init__(self, *args: Any, device: torch.device, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.device = device

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        return prefetch_one(super().__iter__(), self._start)

    def _start(self, item: Any) -> Any:
        with self.times.clock.measure("transfer"):
            return item.start(self.device) if isinstance(item, DeferredBatch) else item


def prefetch_one(items: Iterable[Item], start: Callable[[Item], Result]) -> Iterator[Result]:
    """Yield `start(item)` for each item. `start` is called when the item before is handed over.

    An Exception of an item, or of the iteration, is raised in its turn; other exceptions are raised at once.
    """
    remaining = iter(items)
    upcoming = _start_next(remaining, start)
    while upcoming is not None:
        current = upcoming.result()
        upcoming = _start_next(remaining, start)
        yield current


def _start_next(remaining: Iterator[Item], start: Callable[[Item], Result]) -> Future[Result] | None:
    future: Future[Result] = Future()
    try:
        future.set_result(start(next(remaining)))
    except StopIteration:
        return None
    except Exception as error:  # noqa: BLE001
        future.set_exception(error)
    return future
