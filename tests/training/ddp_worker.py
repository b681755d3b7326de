"""Trains the runs that the tests of several processes look at, all in one start of two processes.

Usage: torchrun --nproc-per-node 2 ddp_worker.py FOLDER, or, for the run "rewound" in processes that Lightning starts,
python ddp_worker.py FOLDER rewound. FOLDER/tiny.yaml is the spec, FOLDER/images a folder of images,
some of them broken. FOLDER/NAME is the run of each name, and FOLDER/NAME-RANK.pt what the process of a rank saw in it:
`views`, the first view of each sample by (epoch, index), and `state`, the module's state at the end.
FOLDER/NAME-RANK.txt is how a process ended that was asked to stop, and "FOLDER/ended early-RANK-EPOCHS" what the
process learned that was asked whether to end the training.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

import sslreg
from sslreg.assembly import assemble
from sslreg.errors import InterruptedRunError
from sslreg.training import loop, training_setup
from sslreg.training.training_setup import TrainingSetup

DDP = ["trainer.devices=2", "trainer.strategy=ddp", "evaluate=[]"]
DOUBLE = ["trainer.max_epochs=1", "trainer.precision=64-true"]
SIMCLR = [*DOUBLE, "loss.gather_distributed=true"]
MOCO = [
    *DOUBLE,
    "model={use: moco, backbone: {use: convnet, width: 4, depth: 3}, projection: [16], momentum: 0.9}",
    "loss={use: nt_xent, memory_bank: {use: fifo, size: 200, dtype: float64}}",
    "schedule=null",
]
SYNC = "trainer.sync_batchnorm=true"
EVERY_STEP = "checkpoint.every_minutes=1.0e-9"
FOURTH_STEP = ["checkpoint.every_steps=4", "trainer.log_every_n_steps=3"]
BROKEN = ["data.train={use: image_folder, root: images}", "data.test=null", "data.on_error=skip", "data.batch_size=8"]


class PowerCutError(Exception):
    """Stands for whatever ends all processes at once."""


class Witness(Callback):
    """Writes down what its process saw. cut: the step at which the power goes."""

    def __init__(self, path: Path, cut: int | None) -> None:
        self.path = path
        self.cut = cut
        self.views: dict[tuple[int, int], torch.Tensor] = {}

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: sslreg.Batch, batch_idx: int) -> None:
        for index, view in zip(batch.indices.tolist(), batch.views[0], strict=True):
            self.views[trainer.current_epoch, index] = view

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if trainer.global_step == self.cut:
            raise PowerCutError

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        torch.save({"views": self.views, "state": pl_module.state_dict()}, self.path)


class Noise(Callback):
    """Makes each process draw from its generators in every step, as dropout would."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        def noisy(backbone: Any, images: Any, features: torch.Tensor) -> torch.Tensor:
            return features * (torch.rand_like(features) + np.random.rand() + random.random())

        pl_module.model.backbone.register_forward_hook(noisy)


class Spoilt(Callback):
    """In one process, the loss of the batches 5 and 10 is no number, nor are the images of batch 15."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        def spoil(loss: Any, given: Any, value: torch.Tensor) -> torch.Tensor:
            return value * float("nan") if trainer.global_rank == 1 and trainer.fit_loop.batch_idx in (5, 10) else value

        pl_module.loss.register_forward_hook(spoil)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: sslreg.Batch, batch_idx: int) -> None:
        if trainer.global_rank == 1 and batch_idx == 15:
            batch.views[0].fill_(float("nan"))


class Asked(Callback):
    """Some of the processes get SIGTERM in the middle of a step."""

    def __init__(self, step: int, *ranks: int) -> None:
        self.step = step
        self.ranks = ranks

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if trainer.global_step == self.step and trainer.global_rank in self.ranks:
            os.kill(os.getpid(), signal.SIGTERM)


def witnessed(folder: Path, name: str, action: Any, *also: Callback, cut: int | None = None) -> None:
    """Run `action`, which trains into FOLDER/NAME, with the callbacks added."""
    attach = loop.add_callbacks

    def with_callbacks(setup: TrainingSetup, *arguments: Any) -> Any:
        setup.trainer.callbacks += [*also, Witness(folder / f"{name}-{setup.trainer.global_rank}.pt", cut)]  # type: ignore[attr-defined]
        return attach(setup, *arguments)

    loop.add_callbacks = with_callbacks
    try:
        action()
    except PowerCutError:
        assert cut is not None
    finally:
        loop.add_callbacks = attach


def train(folder: Path, name: str, overrides: list[str], *also: Callback, cut: int | None = None) -> None:
    spec = sslreg.load_spec(folder / "tiny.yaml", overrides)
    witnessed(folder, name, lambda: sslreg.train(spec, folder / name), *also, cut=cut)


def assemble_noting_turns(folder: Path) -> None:
    """Write FOLDER/turn-RANK: whether the main process had built its data and networks before this one."""
    rank, done = os.environ["RANK"], folder / "main-has-assembled"

    def noted(*arguments: Any, **named: Any) -> Any:
        (folder / f"turn-{rank}").write_text("second" if done.exists() else "first")
        pipeline = assemble(*arguments, **named)
        done.touch()
        return pipeline

    training_setup.assemble = noted  # type: ignore[attr-defined]
    train(folder, "simclr single", ["trainer.max_epochs=1", "loss.gather_distributed=true", *DDP, SYNC])
    training_setup.assemble = assemble  # type: ignore[attr-defined]


def rewound(folder: Path) -> None:
    train(folder, "rewound", [*MOCO, *DDP, *FOURTH_STEP, "engine.on_nan=rewind"], Spoilt())


def interrupted(folder: Path, name: str, asked: Asked) -> None:
    """Train "moco" until processes are asked to stop, write down how each ended, and resume."""
    try:
        train(folder, name, [*MOCO, *DDP], asked)
    except InterruptedRunError as end:
        message = f"{end.exit_status}: {end.diagnostics[0].message.partition(';')[0]}"
        (folder / f"{name}-{os.environ['RANK']}.txt").write_text(message)
    witnessed(folder, name, lambda: sslreg.resume(folder / name))


def refused(folder: Path) -> None:
    """Write FOLDER/refused-RANK: how the process ends when a batch is larger than the data set."""
    try:
        train(folder, "refused", [*DDP, "data.batch_size=4000"])
    except (sslreg.UserError, SystemExit) as end:
        (folder / f"refused-{os.environ['RANK']}").write_text(f"{type(end).__name__}: {end}")


def ended_early(folder: Path) -> None:
    """Train "ended early" until its caller, who is asked in the main process only, ends it after the first epoch."""
    spec = sslreg.load_spec(folder / "tiny.yaml", [*DDP, "trainer.max_epochs=3"])

    def should_stop(epochs: int, figures: Any) -> bool:
        (folder / f"ended early-{os.environ['RANK']}-{epochs}").write_text(str(figures["loss"]))
        return True

    witnessed(folder, "ended early", lambda: sslreg.train(spec, folder / "ended early", should_stop=should_stop))


def main(folder: Path) -> None:
    assemble_noting_turns(folder)
    refused(folder)
    train(folder, "simclr", [*SIMCLR, *DDP, SYNC])
    train(folder, "moco synced", [*MOCO, *DDP, SYNC])
    train(folder, "moco", [*MOCO, *DDP])
    train(folder, "noisy", [*MOCO, *DDP, "trainer.max_epochs=2"], Noise())
    for cut, workers in ((7, 0), (21, 0), (30, 1)):
        name = f"noisy cut at {cut}"
        overrides = [*MOCO, *DDP, "trainer.max_epochs=2", EVERY_STEP, f"data.workers={workers}"]
        train(folder, name, overrides, Noise(), cut=cut)
        witnessed(folder, name, lambda name=name: sslreg.resume(folder / name), Noise())
    train(folder, "moves", [*SIMCLR, *DDP, SYNC, EVERY_STEP], cut=9)
    train(folder, "broken", [*DDP, *BROKEN])
    train(folder, "broken shares", [*DDP, *BROKEN, "data.batch_size=2", "loss.gather_distributed=true", SYNC])
    train(folder, "skipped", [*MOCO, *DDP, *FOURTH_STEP, "engine.on_nan=skip"], Spoilt())
    rewound(folder)
    ended_early(folder)
    interrupted(folder, "both asked", Asked(6, 0, 1))
    interrupted(folder, "first asked", Asked(3, 0))
    interrupted(folder, "second asked", Asked(12, 1))


if __name__ == "__main__":
    torch.set_num_threads(1)
    work = rewound if sys.argv[2:] == ["rewound"] else main
    work(Path(sys.argv[1]))
