"""The processes of a run: how many there are, which is the main one, and the order in which they work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import lightning.pytorch as lightning
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.utilities import rank_zero_only

from sslreg.spec import Spec
from sslreg.training.distributed.collectives import exit_together, is_connected

T = TypeVar("T")


def is_main_process() -> bool:
    """Return whether this process reports for all processes of the run."""
    return int(getattr(rank_zero_only, "rank", None) or 0) == 0


def run_main_process_first(trainer: lightning.Trainer, work: Callable[[], T]) -> T:
    """Call `work` in every process: first in the main one, then in the first of every other host, then in the rest.

    A file that `work` downloads is therefore downloaded once per host. Processes that the main one starts find its work
    done and do not wait, unless they have trained together before. Processes that torchrun or SLURM starts are
    connected for this.
    """
    if trainer.world_size == 1 or not (is_connected() or is_launched_externally(trainer)):
        return work()
    trainer.strategy.setup_environment()
    own_turn = min(trainer.global_rank, 1) + min(trainer.local_rank, 1)
    results: list[T] = []
    for turn in range(3):
        with exit_together():
            if turn == own_turn:
                results.append(work())
    return results[0]


def require_all_processes(spec: Spec, trainer: lightning.Trainer) -> None:
    """Raise a UserError if torchrun or SLURM has started more or fewer processes than the spec has devices."""
    for environment, launcher in ((TorchElasticEnvironment, "torchrun"), (SLURMEnvironment, "SLURM")):
        if environment.detect():
            processes, devices, nodes = environment().world_size(), trainer.num_devices, trainer.num_nodes
            if processes != devices * nodes:
                raise spec.error(
                    ("trainer", "devices"),
                    "other-processes",
                    f"{launcher} has started {processes} processes, for {nodes} × {devices} devices "
                    "(trainer.num_nodes × trainer.devices)",
                    "start one process for each device, or set trainer.devices to the processes of a host",
                )
            return


def is_launched_externally(trainer: lightning.Trainer) -> bool:
    """Return whether torchrun, SLURM or a similar launcher has started all processes."""
    return not isinstance(getattr(trainer.strategy, "cluster_environment", None), LightningEnvironment | None)
