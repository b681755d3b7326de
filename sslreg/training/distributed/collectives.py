"""Collective calls of the processes that train together.

If there are several processes, each of them must call these functions. They communicate through the host, so that
nothing waits for a device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")

#: How long processes wait for one that downloads or evaluates. A process that died is noticed earlier by other means.
TIMEOUT = timedelta(days=7)


def is_connected() -> bool:
    """Return whether this process is one of several that are connected.

    Processes that Lightning starts connect when they begin to train.
    """
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def all_gather_object(value: T) -> list[T]:
    """Return the values of all processes, by rank."""
    if not is_connected():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value, group=long_timeout_group())
    return values


def reduce_any(*flags: bool) -> list[bool]:
    """Return for each flag whether it is true in any process. Fast enough for every step."""
    if not is_connected():
        return list(flags)
    table = torch.tensor(flags, dtype=torch.int32)
    dist.all_reduce(table, dist.ReduceOp.MAX, group=long_timeout_group())
    return table.bool().tolist()


def run_on_main_process(work: Callable[[], T]) -> T:
    """Call `work` in the main process and return its result in all processes.

    If `work` raises there, the other processes exit as in `exit_together`.
    """
    if not is_connected():
        return work()
    results: list[T] = []
    with exit_together():
        if dist.get_rank() == 0:
            results.append(work())
    return all_gather_object(results)[0][0]


def barrier() -> None:
    """Wait until every process is here, however long that takes.

    Other collective calls of a training give up after minutes (10 with NCCL, 30 with gloo), because a call that takes
    that long hangs. An evaluation may take longer.
    """
    if is_connected():
        dist.barrier(group=long_timeout_group())


def long_timeout_group() -> dist.ProcessGroup:
    """Return a group of all processes whose calls wait up to `TIMEOUT`. The first call must not take long."""
    return _long_timeout_group(dist.group.WORLD)


@lru_cache(maxsize=1)
def _long_timeout_group(world: dist.ProcessGroup) -> dist.ProcessGroup:
    """Create the group anew for each `world`, because a process that trains again has another one."""
    group = dist.new_group(backend="gloo", timeout=TIMEOUT)
    assert isinstance(group, dist.ProcessGroup)
    return group


@contextmanager
def exit_together() -> Iterator[None]:
    """Make every process wait at the end of the block until all have left it.

    If the block fails in one process, that process raises its exception. The others exit with `SystemExit`, because
    they have nothing to add.
    """
    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:  # noqa: BLE001  (raised again below)
        failure = error
    statuses = all_gather_object(None if failure is None else getattr(failure, "exit_status", 1))
    if failure is not None:
        raise failure
    if failed := [status for status in statuses if status is not None]:
        raise SystemExit(max(failed))
