"""What the processes that train together tell each other, and how they wait for each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeVar

import lightning.pytorch as lightning
import torch.distributed as dist
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from sslreg.spec import Spec

T = TypeVar("T")

#: How long processes wait for one that downloads or evaluates. One that has died is noticed without it.
PATIENCE = timedelta(days=7)


def gathered(value: T) -> list[T]:
    """The value of every process, by rank. A collective call where there are several."""
    if not _connected():
        return [value]
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, value, group=patient_group())
    return everyone


def wait_for_all() -> None:
    """Go on once every process is here, however long that takes.

    The training's own collective calls give up after minutes (10 with NCCL, 30 with gloo), because one that takes so
    long hangs; an evaluation may well take longer.
    """
    if _connected():
        dist.barrier(group=patient_group())


def patient_group() -> dist.ProcessGroup:
    """A group of all processes whose calls wait for `PATIENCE`. The first call is collective, and may not take long."""
    return _patient_group(dist.group.WORLD)


@lru_cache(maxsize=1)
def _patient_group(world: dist.ProcessGroup) -> dist.ProcessGroup:
    """world: the group of the training, which another one replaces when a process trains again."""
    group = dist.new_group(backend="gloo", timeout=PATIENCE)
    assert isinstance(group, dist.ProcessGroup)
    return group


@contextmanager
def ended_together() -> Iterator[None]:
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


def in_turn(trainer: lightning.Trainer, work: Callable[[], T]) -> T:
    """Do `work` in every process: first in the main one, then in the first of every other host, then in the rest.

    So whatever it downloads is downloaded once a host. Processes that the main one starts itself find its work done,
    and do not wait; those that torchrun or SLURM has started are connected for it.
    """
    if trainer.world_size == 1 or not started_from_outside(trainer):
        return work()
    trainer.strategy.setup_environment()
    own_turn = min(trainer.global_rank, 1) + min(trainer.local_rank, 1)
    done: list[T] = []
    for turn in range(3):
        with ended_together():
            if turn == own_turn:
                done.append(work())
    return done[0]


def require_all_processes(spec: Spec, trainer: lightning.Trainer) -> None:
    """UserError: torchrun or SLURM has started more or fewer processes than the spec has devices."""
    for environment, launcher in ((TorchElasticEnvironment, "torchrun"), (SLURMEnvironment, "SLURM")):
        if environment.detect():
            started, devices, nodes = environment().world_size(), trainer.num_devices, trainer.num_nodes
            if started != devices * nodes:
                raise spec.error(
                    ("trainer", "devices"),
                    "other-processes",
                    f"{launcher} has started {started} processes, for {nodes} × {devices} devices "
                    "(trainer.num_nodes × trainer.devices)",
                    "start one process for each device, or set trainer.devices to the processes of a host",
                )
            return


def started_from_outside(trainer: lightning.Trainer) -> bool:
    """Whether torchrun, SLURM or the like has started all processes."""
    return not isinstance(getattr(trainer.strategy, "cluster_environment", None), LightningEnvironment | None)


def _connected() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
