"""When checkpoints are written, and what a run does with a damaged one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import sslreg
from sslreg import Run, SslregError
from sslreg.atomic_files import write_json
from sslreg.runs.checkpoint_file import read_checkpoint
from sslreg.spec import parse_spec
from sslreg.training import loop


class PowerCutError(Exception):
    """Stands for whatever ends a process without a goodbye."""


@pytest.fixture
def cut_run(tiny_spec: str, tmp_path: Path, moco, at_step):
    """Trains until the power goes in the middle of a step."""

    def train(step: int, *overrides: str) -> Path:
        def cut() -> None:
            raise PowerCutError

        at_step(step, cut)
        with pytest.raises(PowerCutError):
            sslreg.train(parse_spec(tiny_spec, "tiny.yaml", [*moco, *overrides]), tmp_path / "run")
        return tmp_path / "run"

    return train


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_checkpoint_is_written_at_the_start_and_every_so_many_steps(cut_run) -> None:
    run = Run(cut_run(10, "checkpoint.every_steps=4"))
    assert run.checkpoint()["global_step"] == 8
    assert read_checkpoint(run.folder.previous_checkpoint)["global_step"] == 4


def test_a_run_that_failed_before_its_first_step_goes_on(cut_run, undisturbed: Path, assert_same) -> None:
    path = cut_run(0)
    assert sslreg.resume(path).summary["resumed_at"] == [0]
    assert_same(undisturbed, path)


def test_the_checkpoint_before_a_damaged_one_leads_to_the_same_end(
    cut_run, undisturbed: Path, assert_same, caplog: pytest.LogCaptureFixture
) -> None:
    path = cut_run(26, "checkpoint.every_steps=5")
    damage(path / "checkpoints" / "last.ckpt")
    run = sslreg.resume(path)
    assert "its checksum does not match its content; the one before it is used, from step 20" in caplog.text
    assert run.summary["resumed_at"] == [20]
    assert_same(undisturbed, path)
    assert (path / "checkpoints" / "damaged.ckpt").is_file()


def test_a_model_with_a_damaged_checkpoint_is_that_of_the_one_before_it(cut_run) -> None:
    path = cut_run(10, "checkpoint.every_steps=4")
    expected = read_checkpoint(path / "checkpoints" / "previous.ckpt")["state_dict"]
    damage(path / "checkpoints" / "last.ckpt")
    for name, value in Run(path).model().state_dict().items():
        assert torch.equal(value, expected[f"model.{name}"])
    damage(path / "checkpoints" / "previous.ckpt")
    with pytest.raises(SslregError, match="no checkpoint is left that can be used"):
        Run(path).model()


def test_gradients_that_accumulate_are_not_lost(tiny_spec: str, tmp_path: Path, moco, cut_run, assert_same) -> None:
    """A checkpoint holds no gradients, so none is written between two batches of one step."""
    overrides = ("trainer.accumulate_grad_batches=3", "checkpoint.every_minutes=1.0e-9")
    whole = sslreg.train(parse_spec(tiny_spec, "tiny.yaml", [*moco, *overrides]), tmp_path / "whole").path
    path = cut_run(4, *overrides)
    sslreg.resume(path)
    assert_same(whole, path)


def test_what_fails_between_two_steps_loses_none_of_them(
    tiny_spec: str, tmp_path: Path, moco, undisturbed: Path, assert_same, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is whole then, and is saved although no checkpoint was due."""
    from sslreg.training import lightning_module

    finish_batch, calls = lightning_module.finish_batch, []

    def vanishing(batch, device):
        calls.append(batch)
        if len(calls) == 30:
            raise PowerCutError
        return finish_batch(batch, device)

    monkeypatch.setattr(lightning_module, "finish_batch", vanishing)
    path = tmp_path / "run"
    with pytest.raises(PowerCutError):
        sslreg.train(parse_spec(tiny_spec, "tiny.yaml", moco), path)
    assert Run(path).summary["status"] == "failed"
    assert sslreg.resume(path).summary["resumed_at"] == [29]
    assert_same(undisturbed, path)


def test_a_run_that_is_cut_off_in_its_last_evaluation_is_evaluated(
    tiny_spec: str, tmp_path: Path, moco, undisturbed: Path, assert_same
) -> None:
    """All that is left of it is the checkpoint from before the evaluation, and a summary that says running."""
    path = sslreg.train(parse_spec(tiny_spec, "tiny.yaml", moco), tmp_path / "run").path
    (path / "checkpoints" / "previous.ckpt").replace(path / "checkpoints" / "last.ckpt")
    write_json(path / "summary.json", Run(path).summary | {"status": "running", "final": {}})
    assert sslreg.resume(path).summary["resumed_at"] == [42]
    assert_same(undisturbed, path)


def test_a_failing_evaluation_is_owed_and_made_up_for(
    tiny_spec: str, tmp_path: Path, moco, undisturbed: Path, assert_same, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sslreg.evaluation import Evaluation

    original, calls = Evaluation.evaluate_model, []

    def failing(self, model, *arguments):
        calls.append(model)
        if len(calls) == 2:  # the first is the baseline's
            raise PowerCutError
        return original(self, model, *arguments)

    monkeypatch.setattr(Evaluation, "evaluate_model", failing)
    path = tmp_path / "run"
    with pytest.raises(PowerCutError):
        sslreg.train(parse_spec(tiny_spec, "tiny.yaml", moco), path)
    monkeypatch.setattr(Evaluation, "evaluate_model", original)
    assert sslreg.resume(path).summary["resumed_at"] == [21]
    assert_same(undisturbed, path)


def test_a_failure_before_the_first_step_is_in_the_summary(
    tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(setup, *arguments):
        raise PowerCutError

    monkeypatch.setattr(loop, "add_callbacks", failing)
    with pytest.raises(PowerCutError):
        sslreg.train(parse_spec(tiny_spec, "tiny.yaml", ["evaluate=[]"]), tmp_path / "run")
    assert Run(tmp_path / "run").summary["status"] == "failed"
