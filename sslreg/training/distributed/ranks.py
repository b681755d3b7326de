"""Which processes train together, and who works first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import lightning.pytorch as lightning
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from sslreg.spec import Spec
from sslreg.training.distributed.collectives import connected, exit_together

T = TypeVar("T")


def in_turn(trainer: lightning.Trainer, work: Callable[[], T]) -> T:
    """Do `work` in every process: first in the main one, then in the first of every other host, then in the rest.

    So whatever it downloads is downloaded once a host. Processes that the main one starts itself find its work done,
    and do not wait, unless they have trained together before; those that torchrun or SLURM has started are connected
    for it.
    """
    if trainer.world_size == 1 or not (connected() or started_from_outside(trainer)):
        return work()
    trainer.strategy.setup_environment()
    own_turn = min(trainer.global_rank, 1) + min(trainer.local_rank, 1)
    done: list[T] = []
    for turn in range(3):
        with exit_together():
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
