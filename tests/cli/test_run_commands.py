"""train, evaluate and embed, and mistakes in their arguments."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sslreg import Run
from sslreg.cli.train import list_next_steps


def test_train_prints_the_metrics_and_the_next_commands(cli, spec_file: Path) -> None:
    result = cli("train", spec_file, "--set", "trainer.max_epochs=1", "--out", "out")
    assert result.status == 0, result.err
    assert {path.name for path in Path("out").iterdir()} >= {
        "spec.yaml",
        "spec.resolved.yaml",
        "lock.json",
        "metrics.csv",
        "checkpoints",
        "summary.json",
    }
    assert "few_shot_1" in result.out
    assert re.search(r"^loss +[0-9.]+ +[▁-█]+ +[0-9.]+$", result.out, re.MULTILINE)
    for line in ("sslreg evaluate out", "sslreg embed out --out embeddings.npz", 'sslreg.load_run("out").backbone()'):
        assert line in result.out


WRONG = {
    "a typo in a key": (["--set", "loss.temprature=0.1"], "temperature"),
    "a component that no plugin provides": (["--set", "loss.use=nt_xnet"], "did you mean 'nt_xent'"),
    "a batch larger than the data set": (["--set", "data.batch_size=5000"], "use data.batch_size: 1348 or less"),
    "a GPU where there is none": (["--set", "trainer.accelerator=gpu"], "this machine has no GPU"),
    "an empty image folder": (["--set", "data.train={use: image_folder, root: empty}"], "empty"),
    "a missing image folder": (["--set", "data.train={use: image_folder, root: nowhere}"], "nowhere"),
    "a warm-up longer than the run": (["--set", "schedule.warmup_epochs=50"], "shorten the schedule"),
    "evaluation without a test set": (["--set", "data.test=null"], "data.test"),
    "images too small for the backbone": (["--set", "model.backbone={use: alexnet}"], "does not support images"),
    "no end": (["--set", "trainer.max_epochs=null"], "max_epochs"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_one_message_and_leaves_no_files(cli, spec_file: Path, case: str) -> None:
    if case == "a GPU where there is none" and torch.cuda.is_available():
        pytest.skip("there is one")
    Path("empty").mkdir()
    arguments, message = WRONG[case]
    result = cli("train", spec_file, *arguments)
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert not Path("runs").exists()


def test_a_missing_spec_suggests_existing_ones(cli) -> None:
    result = cli("train", "digits-simlcr.yaml")
    assert result.status == 2
    assert "digits-simclr" in result.err


def test_training_into_a_folder_in_use_is_refused(cli, spec_file: Path) -> None:
    Path("out").mkdir()
    Path("out/precious").write_text("mine")
    result = cli("train", spec_file, "--out", "out")
    assert result.status == 2
    assert "not empty" in result.err
    assert [path.name for path in Path("out").iterdir()] == ["precious"]


@pytest.mark.parametrize("command", ["evaluate", "embed"])
def test_a_folder_that_is_not_a_run_is_refused(cli, tmp_path: Path, command: str) -> None:
    extra = ["--out", tmp_path / "e.npz"] if command == "embed" else []
    result = cli(command, tmp_path, *extra)
    assert result.status == 2
    assert "is not the folder of a run" in result.err


def test_embed_writes_the_evaluated_embeddings(cli, tiny_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "e.npz"
    assert cli("embed", tiny_run.path, "--out", out).status == 0
    with np.load(out) as archive:
        assert set(archive.files) == {"embeddings", "targets", "indices", "names"}
        assert archive["embeddings"].shape == (449, tiny_run.facts["num_features"])
        assert archive["indices"].tolist() == list(range(449))
        assert len(archive["names"]) == len(archive["targets"]) == 449


def test_embed_falls_back_to_the_training_set_as_the_reference(cli, tiny_run: Run, tmp_path: Path) -> None:
    result = cli("embed", tiny_run.path, "--split", "reference", "--out", tmp_path / "e.npz")
    assert result.status == 0, result.err
    assert "1,348 embeddings" in result.out


def test_embed_reports_a_missing_split(cli, tiny_run: Run, tmp_path: Path) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "run")
    resolved = tmp_path / "run" / "spec.resolved.yaml"
    resolved.write_text(re.sub(r"(?m)^evaluate:\n(- .*\n|  .*\n)*|^  test: .*\n", "", resolved.read_text()))
    result = cli("embed", tmp_path / "run", "--out", tmp_path / "e.npz")
    assert result.status == 2
    assert "data.test" in result.err


@pytest.mark.parametrize("out", ["e.txt", "no/such/folder/e.npz"])
def test_embed_refuses_an_unknown_format(cli, tiny_run: Run, out: str) -> None:
    assert cli("embed", tiny_run.path, "--out", out).status == 2


@pytest.fixture
def copy(tiny_run: Run, tmp_path: Path) -> Path:
    """A finished run that may be damaged."""
    shutil.copytree(tiny_run.path, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_without_checkpoints_is_reported(cli, copy: Path, tmp_path: Path) -> None:
    shutil.rmtree(copy / "checkpoints")
    result = cli("embed", copy, "--out", tmp_path / "e.npz")
    assert result.status == 1
    assert "last.ckpt is missing" in result.err


@pytest.mark.parametrize("command", ["evaluate", "embed"])
def test_a_damaged_checkpoint_is_reported_and_the_previous_one_used(
    cli, copy: Path, tmp_path: Path, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    extra = ["knn"] if command == "evaluate" else ["--out", tmp_path / "e.npz"]
    (copy / "checkpoints" / "last.ckpt").write_bytes(b"torn")
    assert cli(command, copy, *extra).status == 0
    assert "last.ckpt: it is truncated, or its end is damaged; the one before it is used" in caplog.text
    (copy / "checkpoints" / "previous.ckpt").write_bytes(b"torn too")
    result = cli(command, copy, *extra)
    assert result.status == 1
    assert "no checkpoint is left that can be used" in result.err
    assert "Traceback" not in result.err


@pytest.mark.slow
def test_every_next_step_after_training_runs_as_printed(cli, spec_file: Path) -> None:
    printed = cli("train", spec_file, "--out", "run", "--set", "trainer.max_steps=2").out
    steps = [line.strip() for line in printed.split("next:\n")[1].splitlines() if line.strip()]
    assert [step.split()[1] for step in steps] == ["report", "neighbors", "evaluate", "embed", "-c"]
    # A shell finds the programs of this environment, as after `activate`.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for step in steps:
        done = subprocess.run(step, shell=True, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (step, done.stderr)


def test_next_steps_name_the_program_as_it_was_started(tiny_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/sslreg", "train"])
    monkeypatch.setenv("PATH", "/nowhere")
    steps = list_next_steps(tiny_run)
    assert all(step.startswith((".venv/bin/sslreg ", ".venv/bin/python ")) for step in steps)


def test_a_file_of_the_searched_images_is_not_its_own_neighbor(cli, spec_file: Path, photos: Path) -> None:
    folder = f"{{use: image_folder, root: '{photos}', labels: none}}"
    cli("train", spec_file, "--out", "run", "--set", f"data={{train: {folder}, batch_size: 4, channels: 1}}",
        "--set", "evaluate=[]", "--set", "trainer.max_steps=1")  # fmt: skip
    result = cli("neighbors", "run", photos / "rgb.jpg", "--split", "reference", "--json")
    names = [one["name"] for one in json.loads(result.out)["neighbors"]]
    assert len(names) == 7
    assert "rgb.jpg" not in names
