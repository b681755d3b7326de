"""The checks that need a run: those of callbacks, loggers and specs."""

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
from sslreg.testing.tiny_components import Darken, Pictures, RecordingLoss, TinyBackbone, TinyModel

#: The other components in the run of a callback or a logger.
COMPONENTS: dict[str, dict[str, Any]] = {
    "dataset": {"kit_pictures": Pictures},
    "augmentation": {"kit_darken": Darken},
    "backbone": {"kit_backbone": TinyBackbone},
    "model": {"kit_model": TinyModel},
    "loss": {"kit_loss": RecordingLoss},
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
def temporary_working_directory() -> Iterator[Path]:
    """Work in a temporary folder, for components that write to the working directory."""
    previous = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(previous)


def trains(spec: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Train an epoch of a spec on the CPU, in a temporary folder, and return the run's summary.

    Args:
        spec: The path or the name of a spec.
        overrides: Overrides such as ``trainer.limit_train_batches=2``.

    Raises:
        AssertionError: The spec gives warnings, or the run does not end with a finite loss.
    """
    path = Path(spec).resolve() if Path(spec).exists() else spec
    with temporary_working_directory() as folder:
        loaded = sslreg.load_spec(path, ["trainer.max_epochs=1", "trainer.accelerator=cpu", *overrides])
        assert not loaded.warnings, "\n".join(map(str, loaded.warnings))
        return _require_finished(sslreg.train(loaded, out=folder / "run"))


def _require_finished(run: sslreg.Run) -> dict[str, Any]:
    summary = run.summary
    assert summary["status"] == "finished"
    assert math.isfinite(summary["final"]["loss"])
    return summary


def _run_with(case: Case, section: str) -> None:
    component = {"use": case.info.name, **case.parameters}
    with temporary_working_directory() as folder, temporary_components(**COMPONENTS) as catalog:
        spec = parse_spec(yaml.safe_dump({**SPEC, section: [component]}), catalog=catalog)
        _require_finished(sslreg.train(spec, out=folder / "run"))


@check("callback")
def works_in_a_run(case: Case) -> None:
    _run_with(case, "callbacks")


@check("logger")
def logs_a_run(case: Case) -> None:
    _run_with(case, "loggers")
