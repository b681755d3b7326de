"""Trains a few steps of every method's recipe in two processes.

Usage: torchrun --nproc-per-node 2 two_processes.py FOLDER METHOD…. FOLDER/METHOD is the run of each method.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import sslreg
from sslreg import Spec
from sslreg.spec.parameters import parameters_of

#: Eight steps in four epochs: momentum, queues, warm-ups and frozen layers change within them.
SHORT = (
    "data.batch_size=32",
    "trainer.limit_train_batches=2",
    "trainer.max_epochs=4",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "evaluate=[]",
)

#: Changes of a recipe. A teacher of the recipe starts from a run, and its rounding would exceed that of the student.
CHANGES = {
    "distillation": ("model.teacher={use: convnet}", "model.teacher_dtype=float64", "loss.memory_bank.size=100"),
}


def load(method: str, *overrides: str) -> Spec:
    """Return the recipe of a method for the digits, shortened, with negatives from all processes."""
    spec = sslreg.load_spec(f"digits-{method.replace('_', '-')}")
    short = [*SHORT, *shorten_warmup(spec), *CHANGES.get(method, ())]
    if "gather_distributed" in parameters_of(spec.loss.info):
        short.append("loss.gather_distributed=true")
    return sslreg.load_spec(spec.file, [*short, *overrides])


def shorten_warmup(spec: Spec) -> list[str]:
    """Return overrides that end each warm-up of a spec after one epoch."""
    is_list = isinstance(spec.to_dict().get("schedule"), list)
    places = [f"schedule.{number}" if is_list else "schedule" for number in range(len(spec.schedule or ()))]
    schedules = zip(places, spec.schedule or (), strict=True)
    return [f"{place}.warmup_epochs=1" for place, schedule in schedules if schedule.params.get("warmup_epochs", 0) > 1]


#: Overrides for one process, to which two are compared.
ONE = ("trainer.precision=64-true", "trainer.devices=1")
TWO = ("trainer.precision=64-true", "trainer.devices=2", "trainer.strategy=ddp", "trainer.sync_batchnorm=true")

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, *methods = sys.argv[1:]
    for name in methods:
        sslreg.train(load(name, *TWO), Path(folder) / name)
