"""Checkpoints with a valid checksum and wrong content are refused with one message that names the file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import sslreg
from sslreg import Run, SslregError
from sslreg.runs.checkpoint_file import read_checkpoint, write_checkpoint
from sslreg.spec import parse_spec


@pytest.fixture(scope="module")
def short_run(tiny_spec: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = ["evaluate=[]", "data.test=null", "trainer.max_epochs=1", "trainer.limit_train_batches=2"]
    return sslreg.train(parse_spec(tiny_spec, "tiny.yaml", options), tmp_path_factory.mktemp("short") / "run").path


def weight(state: dict[str, Any]) -> str:
    return next(name for name in state["state_dict"] if name.startswith("model.backbone") and name.endswith("weight"))


def change_shape(state: dict[str, Any]) -> None:
    state["state_dict"][weight(state)] = torch.zeros(3)


def change_type(state: dict[str, Any]) -> None:
    state["state_dict"][weight(state)] = "weights"


def change_dtype(state: dict[str, Any]) -> None:
    state["state_dict"][weight(state)] = state["state_dict"][weight(state)].int()


def remove_weight(state: dict[str, Any]) -> None:
    del state["state_dict"][weight(state)]


def add_weight(state: dict[str, Any]) -> None:
    state["state_dict"]["model.stranger"] = torch.zeros(1)


WEIGHTS = [
    (change_shape, r"weight has the shape \(3,\), not"),
    (change_type, "weight is a str, not a tensor"),
    (change_dtype, r"weight is torch\.int32, not torch\.float32"),
    (remove_weight, "weight is missing"),
    (add_weight, "stranger is unknown"),
]


def change_momentum(state: dict[str, Any]) -> None:
    state["optimizer_states"][0]["state"][0]["momentum_buffer"] = torch.zeros(2)


def change_groups(state: dict[str, Any]) -> None:
    state["optimizer_states"][0]["param_groups"][0]["params"].pop()


def change_rate(state: dict[str, Any]) -> None:
    state["optimizer_states"][0]["param_groups"][0]["lr"] = "fast"


def change_optimizers(state: dict[str, Any]) -> None:
    state["optimizer_states"] = []


def change_schedule(state: dict[str, Any]) -> None:
    state["lr_schedulers"][0]["last_epoch"] = "late"


def change_loops(state: dict[str, Any]) -> None:
    state["loops"] = 7


def change_progress(state: dict[str, Any]) -> None:
    state["loops"]["fit_loop"]["epoch_progress"]["total"]["ready"] = "all"


def change_position(state: dict[str, Any]) -> None:
    state["callbacks"]["ResumePosition"]["epoch"] = -1


def change_recorder(state: dict[str, Any]) -> None:
    state["callbacks"]["MetricsRecorder"] = 7


def change_saver(state: dict[str, Any]) -> None:
    state["callbacks"]["CheckpointSaver"] = 7


TRAINING = [
    (change_momentum, "momentum_buffer of parameter 0 has the shape"),
    (change_groups, "the optimizer has groups of"),
    (change_rate, "lr is a str"),
    (change_optimizers, "optimizer_states is not a list of one mapping"),
    (change_schedule, "last_epoch is a str"),
    (change_loops, "loops is a int, not a mapping"),
    (change_progress, "ready is a str"),
    (change_position, "its epoch is -1"),
    (change_recorder, "it does not tell where the run resumes"),
    (change_saver, "it does not fit this run: TypeError"),
]


def spoil(run: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Return a copy of a run whose checkpoint has a valid checksum and other content."""
    shutil.copytree(run, folder)
    path = Run(folder).folder.last_checkpoint
    state = read_checkpoint(path)
    change(state)
    write_checkpoint(state, path)
    return folder


@pytest.mark.parametrize(("change", "message"), WEIGHTS)
def test_a_run_with_wrong_weights_is_not_loaded(
    short_run: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    folder = spoil(short_run, tmp_path / "run", change)
    with pytest.raises(SslregError, match=rf"last\.ckpt cannot be read: it does not fit the model of .*{message}"):
        sslreg.load_run(folder).model()


@pytest.mark.parametrize(("change", "message"), [WEIGHTS[0], *TRAINING])
def test_a_run_with_wrong_content_does_not_resume(
    short_run: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    folder = spoil(short_run, tmp_path / "run", change)
    with pytest.raises(SslregError, match=rf"last\.ckpt cannot be read: .*{message}") as caught:
        sslreg.resume(folder, ["trainer.max_epochs=2"])
    assert len(caught.value.diagnostics) == 1


def test_an_unchanged_run_resumes(short_run: Path, tmp_path: Path) -> None:
    folder = spoil(short_run, tmp_path / "run", lambda state: None)
    assert sslreg.resume(folder, ["trainer.max_epochs=2"]).summary["status"] == "finished"
