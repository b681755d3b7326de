"""A pool of threads that work on separate shares of a task."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

#: The most workers. Each needs memory for its results, and more workers share the same number of torch's threads.
MOST = 8


def count_workers(device: torch.device) -> int:
    """Return the number of workers: one on a device that runs each operation in parallel well enough itself."""
    return min(MOST, torch.get_num_threads()) if device.type == "cpu" else 1


def map_shares(work: Callable[[Sequence[Item]], Result], items: Sequence[Item], device: torch.device) -> list[Result]:
    """Return the results of `work` on shares of the items, one for each worker; the number of workers fixes the shares.

    Torch's own threads wait for each other after every operation, and wait actively. If other work needs the processor,
    such as the workers of a data loader, short operations then take many times as long. These threads meet only once.
    """
    workers = min(count_workers(device), len(items))
    if workers == 1:
        return [work(items)]

    def without_gradient(share: Sequence[Item]) -> Result:
        with torch.no_grad():
            return work(share)

    pool = _pool(workers, torch.get_num_threads() // workers)
    return list(pool.map(without_gradient, [items[worker::workers] for worker in range(workers)]))


@cache
def _pool(workers: int, threads: int) -> ThreadPoolExecutor:
    """Return a pool whose workers run their operations on `threads` of torch's threads each."""
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, "sslreg-losses", torch.set_num_threads, (threads,))
    # torch.set_num_threads is for the calling thread, but also for threads that start later. Reset it once all have
    # started.
    started = threading.Barrier(workers + 1)
    for _ in range(workers):
        pool.submit(started.wait)
    started.wait()
    torch.set_num_threads(before)
    return pool


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
