"""Runs that a queue stops and starts again with the same command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sslreg import Run
from sslreg.cli import requeue
from sslreg.errors import InterruptedRunError

SLURM = {
    "SLURM_JOB_ID": "123",
    "SLURM_JOB_NAME": "train",
    "SLURM_NTASKS": "1",
    "SLURM_NTASKS_PER_NODE": "1",
    "SLURM_NNODES": "1",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
}


@pytest.fixture
def scontrol(tmp_path: Path) -> Path:
    """A folder for the path in which scontrol writes what it is called with beside itself."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "scontrol").write_text('#!/bin/sh\necho "$@" >> "$0.log"\n')
    (folder / "scontrol").chmod(0o755)
    return folder


@pytest.mark.slow
def test_a_job_whose_time_is_up_is_requeued_and_its_next_start_goes_on(spec_file: Path, scontrol: Path) -> None:
    """The signal reaches all processes of the job, as SLURM sends it."""
    command = [Path(sys.executable).with_name("sslreg"), "train", spec_file, "--out", "run"]
    command += ["--set", "data.workers=1", "--set", "evaluate=[]", "--set", "trainer.log_every_n_steps=1"]
    environment = os.environ | SLURM | {"PATH": f"{scontrol}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    metrics = Path("run", "metrics.csv")
    while process.poll() is None and not (metrics.exists() and len(metrics.read_text().splitlines()) > 3):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGUSR1)
    _, said = process.communicate()
    assert process.returncode == 75, said
    assert "job 123 is requeued and resumes by itself" in said
    assert "Traceback" not in said
    assert (scontrol / "scontrol.log").read_text() == "requeue 123\n"
    assert Run("run").summary["status"] == "interrupted"
    assert not list(Path("run").glob("hpc_ckpt*"))

    again = subprocess.run(
        command, env=environment | {"SLURM_RESTART_COUNT": "1"}, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    summary = json.loads(Path("run", "summary.json").read_text())
    assert (summary["status"], summary["steps"], len(summary["resumed_at"])) == ("finished", 42, 1)


def interrupted(by: signal.Signals) -> InterruptedRunError:
    error = InterruptedRunError("interrupted", hint="go on")
    error.signal = by
    return error


@pytest.mark.parametrize(
    ("by", "can_find_run", "said"),
    [
        (signal.SIGUSR1, False, "job 7_2 was not requeued: without --out it could not find its run"),
        (signal.SIGUSR1, True, "job 7_2 could not be requeued: scontrol: No such file or directory"),
        (signal.SIGTERM, True, None),
    ],
)
def test_what_becomes_of_a_job_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: signal.Signals, can_find_run: bool, said: str | None
) -> None:
    for name, value in {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InterruptedRunError) as caught, requeue.requeue_on_timeout(can_find_run=can_find_run):
        raise interrupted(by)
    assert caught.value.diagnostics[0].hint == ("go on" if said is None else f"go on; {said}")


TRAIN = ("train", "tiny.yaml", "--set", "evaluate=[]", "--set", "trainer.max_epochs=1", "--out", "run", "--auto-resume")


def test_a_run_is_started_and_when_it_is_finished_left_alone(cli, spec_file: Path) -> None:
    assert cli(*TRAIN).status == 0
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    result = cli(*TRAIN)
    assert result.status == 0
    assert "everything is in run" in result.out
    assert before == {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}


def test_a_run_that_was_killed_before_its_first_checkpoint_is_begun_again(cli, spec_file: Path) -> None:
    assert cli(*TRAIN).status == 0
    # What it had not come to yet: checkpoints, and what plugins make of a run that has ended.
    for path in Path("run").rglob("*"):
        if path.suffix in (".ckpt", ".png", ".svg"):
            path.unlink()
    assert cli(*TRAIN).status == 0
    summary = Run("run").summary
    assert (summary["status"], summary["resumed_at"], summary["steps"]) == ("finished", [], 21)


def test_a_run_of_another_spec_is_not_gone_on_with(cli, spec_file: Path) -> None:
    assert cli(*TRAIN).status == 0
    result = cli(*TRAIN, "--set", "optimizer.lr=0.2")
    assert result.status == 2
    assert "optimizer.lr would change it" in result.err


def test_a_folder_that_holds_something_else_is_not_touched(cli, spec_file: Path) -> None:
    Path("run").mkdir()
    Path("run", "precious").write_text("mine")
    result = cli(*TRAIN)
    assert result.status == 2
    assert "already exists and is not empty" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "tiny.yaml", "--auto-resume"), "--auto-resume needs the folder of the run"),
        (("train", "--resume", "run", "--auto-resume"), "are for a new run"),
    ],
)
def test_auto_resume_belongs_to_a_new_run_with_a_folder(cli, spec_file: Path, arguments, message: str) -> None:
    result = cli(*arguments)
    assert result.status == 2
    assert message in result.err
