"""What the processes that train together tell each other, decide alike, and wait for.

Every function here is a collective call where there are several processes: all of them have to make it. They talk
through the host, so that nothing waits for a device.
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

#: How long processes wait for one that downloads or evaluates. One that has died is noticed without it.
PATIENCE = timedelta(days=7)


def connected() -> bool:
    """Whether this process is one of several, and knows the others: those that Lightning starts do once they train."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def gathered(value: T) -> list[T]:
    """The value of every process, by rank."""
    if not connected():
        return [value]
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, value, group=long_timeout_group())
    return everyone


def any_process(*facts: bool) -> list[bool]:
    """For each fact, whether it holds in any of the processes. Quick enough for every step."""
    if not connected():
        return list(facts)
    table = torch.tensor(facts, dtype=torch.int32)
    dist.all_reduce(table, dist.ReduceOp.MAX, group=long_timeout_group())
    return table.bool().tolist()


def run_on_main(work: Callable[[], T]) -> T:
    """What `work` gives in the main process, for all. Where it fails there, the others end as in `exit_together`."""
    if not connected():
        return work()
    told: list[T] = []
    with exit_together():
        if dist.get_rank() == 0:
            told.append(work())
    return gathered(told)[0][0]


def barrier() -> None:
    """Go on once every process is here, however long that takes.

    The training's own collective calls give up after minutes (10 with NCCL, 30 with gloo), because one that takes so
    long hangs; an evaluation may well take longer.
    """
    if connected():
        dist.barrier(group=long_timeout_group())


def long_timeout_group() -> dist.ProcessGroup:
    """A group of all processes whose calls wait for `PATIENCE`. The first call may not take long."""
    return _long_timeout_group(dist.group.WORLD)


@lru_cache(maxsize=1)
def _long_timeout_group(world: dist.ProcessGroup) -> dist.ProcessGroup:
    """world: the group of the training, which another one replaces when a process trains again."""
    group = dist.new_group(backend="gloo", timeout=PATIENCE)
    assert isinstance(group, dist.ProcessGroup)
    return group


@contextmanager
def exit_together() -> Iterator[None]:
    """A block that every process goes through, and that none leaves before the others.

    Where it fails in one process, that one raises and the others end with `SystemExit`: they have nothing to add.
    """
    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:  # noqa: BLE001  (raised again below)
        failure = error
    statuses = gathered(None if failure is None else getattr(failure, "exit_status", 1))
    if failure is not None:
        raise failure
    if failed := [status for status in statuses if status is not None]:
        raise SystemExit(max(failed))
