"""Threads that each work on tiles of their own."""

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

#: More would cost more memory than time, as each has results of its own; they share the threads that torch may use.
MOST = 8


def workers_for(device: torch.device) -> int:
    """How many workers there are: one where the device spreads each operation well enough by itself."""
    return min(MOST, torch.get_num_threads()) if device.type == "cpu" else 1


def spread(work: Callable[[Sequence[Item]], Result], items: Sequence[Item], device: torch.device) -> list[Result]:
    """The results of `work` on shares of the items: every worker has one, fixed by the number of workers.

    Torch's own threads wait for each other after every operation, and do it busily: where something else wants the
    processor, such as the workers of a data loader, short operations take many times as long. These meet once.
    """
    workers = min(workers_for(device), len(items))
    if workers == 1:
        return [work(items)]

    def without_gradient(share: Sequence[Item]) -> Result:
        with torch.no_grad():
            return work(share)

    pool = _pool(workers, torch.get_num_threads() // workers)
    return list(pool.map(without_gradient, [items[worker::workers] for worker in range(workers)]))


@cache
def _pool(workers: int, threads: int) -> ThreadPoolExecutor:
    """Workers whose operations run on so many of torch's threads each."""
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, "sslreg-losses", torch.set_num_threads, (threads,))
    # The number is the calling thread's own, but for threads that start later: once all have set it, set it back.
    started = threading.Barrier(workers + 1)
    for _ in range(workers):
        pool.submit(started.wait)
    started.wait()
    torch.set_num_threads(before)
    return pool


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
