"""The next batch is made on the device while the training is at work on the one before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader

from sslreg.views import DeferredBatch

Item = TypeVar("Item")
Begun = TypeVar("Begun")


class PrefetchingDataLoader(DataLoader[Any]):
    """A DataLoader that has the device begin each `DeferredBatch` one step before it is trained on.

    A step that waits for the device, as to look at its loss, would otherwise leave the device idle until the next batch
    has been sent and made. One more batch is held on the device.
    """

    def __init__(self, *args: Any, device: torch.device, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.device = device

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        return prefetch_one(super().__iter__(), self._begun)

    def _begun(self, item: Any) -> Any:
        return item.start(self.device) if isinstance(item, DeferredBatch) else item


def prefetch_one(items: Iterable[Item], begin: Callable[[Item], Begun]) -> Iterator[Begun]:
    """What `begin` makes of each item, begun when the one before it is handed over.

    An Exception that an item meets, or the items end with, is raised when its turn comes; other exceptions at once.
    """
    remaining = iter(items)
    upcoming = _next(remaining, begin)
    while upcoming is not None:
        here = upcoming.result()
        upcoming = _next(remaining, begin)
        yield here


def _next(remaining: Iterator[Item], begin: Callable[[Item], Begun]) -> Future[Begun] | None:
    begun: Future[Begun] = Future()
    try:
        begun.set_result(begin(next(remaining)))
    except StopIteration:
        return None
    except Exception as error:  # noqa: BLE001
        begun.set_exception(error)
    return begun
