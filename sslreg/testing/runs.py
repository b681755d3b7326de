"""What has to be seen in a run: callbacks, loggers, and specs."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml

import sslreg
from sslreg.spec import parse_spec
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.temporary_components import temporary_components
from sslreg.testing.tiny_components import AnyLoss, Darken, Pictures, TinyBackbone, TinyModel

#: What the run of a callback or a logger consists of beside it.
KIT: dict[str, dict[str, Any]] = {
    "dataset": {"kit_pictures": Pictures},
    "augmentation": {"kit_darken": Darken},
    "backbone": {"kit_backbone": TinyBackbone},
    "model": {"kit_model": TinyModel},
    "loss": {"kit_loss": AnyLoss},
    "optimizer": {"kit_sgd": torch.optim.SGD},
}

SPEC: dict[str, Any] = {
    "version": 1,
    "name": "under-test",
    "data": {"train": {"use": "kit_pictures"}, "channels": 3, "batch_size": 4},
    "views": [{"repeat": 2, "augment": [{"use": "kit_darken"}]}],
    "model": {"use": "kit_model", "backbone": {"use": "kit_backbone"}},
    "loss": {"use": "kit_loss"},
    "optimizer": {"use": "kit_sgd", "lr": 0.01},
    "trainer": {"max_epochs": 2, "accelerator": "cpu", "devices": 1, "log_every_n_steps": 1},
}


@contextmanager
def elsewhere() -> Iterator[Path]:
    """A folder to work in, for what writes beside where it runs."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def trains(spec: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Train an epoch of a spec on the CPU, in a folder that is gone afterwards; the run's summary.

    AssertionError: the spec gives warnings, or the run does not end with a loss that is a number.
    """
    path = Path(spec).resolve() if Path(spec).exists() else spec
    with elsewhere() as folder:
        loaded = sslreg.load_spec(path, ["trainer.max_epochs=1", "trainer.accelerator=cpu", *overrides])
        assert not loaded.warnings, "\n".join(map(str, loaded.warnings))
        return _finished(sslreg.train(loaded, out=folder / "run"))


def _finished(run: sslreg.Run) -> dict[str, Any]:
    summary = run.summary
    assert summary["status"] == "finished"
    assert math.isfinite(summary["final"]["loss"])
    return summary


def _run_with(case: Case, section: str) -> None:
    component = {"use": case.info.name, **case.parameters}
    with elsewhere() as folder, temporary_components(**KIT) as catalog:
        spec = parse_spec(yaml.safe_dump({**SPEC, section: [component]}), catalog=catalog)
        _finished(sslreg.train(spec, out=folder / "run"))


@check("callback")
def takes_part_in_a_run(case: Case) -> None:
    _run_with(case, "callbacks")


@check("logger")
def follows_a_run(case: Case) -> None:
    _run_with(case, "loggers")
