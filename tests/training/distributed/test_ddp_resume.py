"""An interrupted run of two processes ends like an uninterrupted one, in whichever processes it resumes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

import sslreg
from sslreg import Run

pytestmark = pytest.mark.slow  # for the start of the pair

ALONE = ["trainer.devices=1", "trainer.strategy=auto"]


@pytest.mark.parametrize("cut", [7, 21, 30])
def test_two_processes_resume_bit_for_bit(pair: Path, cut: int) -> None:
    """Both processes draw from torch's, NumPy's and Python's generators in every step."""
    whole, broken = Run(pair / "noisy"), Run(pair / f"noisy cut at {cut}")
    assert broken.summary["resumed_at"] == [cut]
    states = [run.checkpoint()["state_dict"] for run in (whole, broken)]
    assert [name for name, value in states[0].items() if not torch.equal(value, states[1][name])] == []
    momentum = [run.checkpoint()["optimizer_states"][0]["state"] for run in (whole, broken)]
    assert all(torch.equal(momentum[0][i]["momentum_buffer"], momentum[1][i]["momentum_buffer"]) for i in momentum[0])
    assert (whole.path / "metrics.csv").read_text() == (broken.path / "metrics.csv").read_text()


def test_the_checkpoint_has_the_generators_of_each_process(pair: Path) -> None:
    first, second = Run(pair / "noisy").checkpoint()["callbacks"]["ResumePosition"]["generators"]
    assert not torch.equal(first["torch"], second["torch"])
    assert not torch.equal(first["numpy"][1], second["numpy"][1])
    assert first["python"] != second["python"]


def test_one_process_may_resume_a_run_of_two(pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Same global batch, same result but for rounding, and the run says that it is no longer bit for bit."""
    shutil.copytree(pair / "moves", tmp_path / "moves")
    run = sslreg.resume(tmp_path / "moves", ALONE)
    assert run.summary["resumed_at"] == [9]
    assert run.facts["world_size"] == 1
    assert "started in 2 processes and resumes in 1" in " ".join(capsys.readouterr().err.split())
    expected = Run(pair / "simclr").checkpoint()["state_dict"]
    for name, value in run.checkpoint()["state_dict"].items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("override", ["trainer.precision=32-true", "trainer.sync_batchnorm=false"])
def test_a_move_to_other_devices_is_all_that_may_change(pair: Path, override: str) -> None:
    with pytest.raises(sslreg.UserError, match=override.split("=")[0]):
        sslreg.resume(pair / "moves", [*ALONE, override])


def test_the_caller_of_one_process_ends_all(pair: Path) -> None:
    summary = Run(pair / "ended early").summary
    assert (summary["status"], summary["epochs"], summary["ended_early"]) == ("finished", 1, True)
    assert [path.name for path in pair.glob("ended early-*-*")] == ["ended early-0-1"]
    states = [torch.load(pair / f"ended early-{rank}.pt", weights_only=False)["state"] for rank in range(2)]
    # Batch statistics are those of each process.
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items() if "weight" in name)
