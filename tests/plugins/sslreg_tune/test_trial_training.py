"""The training of a trial."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sslreg
from sslreg_tune import trial_training
from sslreg_tune.budget import Budget
from sslreg_tune.figure import Figure
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.trial_claims import TrialClaims
from sslreg_tune.trial_storage import StorageError, StoredTrial, TrialStorage, file_url
from sslreg_tune.trial_training import TrialTraining

RunTrial = Callable[..., StoredTrial]


@pytest.fixture
def run_trial(tmp_path: Path) -> RunTrial:
    """Claim a trial and run it."""
    storage = TrialStorage(file_url(tmp_path / "study.db"), "mine", lowest=True)

    def run(config: SearchConfig) -> StoredTrial:
        claim = TrialClaims(tmp_path, "here", storage, config, 0).take(Budget())
        assert claim is not None
        try:
            TrialTraining(config, storage, claim, tmp_path / f"{claim.number:04}").run()
        finally:
            claim.lock.release()
        return storage.read_trial(claim.number)

    return run


def test_a_trial_is_an_ordinary_run_with_its_figure(search, run_trial: RunTrial, tmp_path: Path) -> None:
    config = search()
    trial = run_trial(config)
    run = sslreg.load_run(tmp_path / "0000")
    assert run.summary["status"] == "finished"
    assert (trial.state, trial.epochs, len(trial.sessions)) == ("finished", 2, 1)
    assert trial.figure == config.figure.read(run)
    assert list(trial.intermediate) == [1, 2]


def test_a_finished_run_is_not_trained_again(
    search, run_trial: RunTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process was killed between the end of the training and the report of its figure."""
    config = search()
    finish = TrialStorage.finish
    with monkeypatch.context() as patch:

        def end(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(TrialStorage, "finish", end)
        with pytest.raises(KeyboardInterrupt):
            run_trial(config)
    assert TrialStorage.finish is finish
    checkpoint = tmp_path / "0000" / "checkpoints" / "last.ckpt"
    written = checkpoint.stat().st_mtime_ns
    trial = run_trial(config)
    assert (trial.number, trial.state, len(trial.intermediate)) == (0, "finished", 2)
    assert checkpoint.stat().st_mtime_ns == written


def test_a_trial_that_is_interrupted_resumes(
    search, run_trial: RunTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = search()
    report = TrialStorage.report

    def interrupt(self: TrialStorage, number: int, epochs: int, figure: float) -> None:
        report(self, number, epochs, figure)
        if epochs == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(TrialStorage, "report", interrupt)
        with pytest.raises(sslreg.InterruptedRunError):
            run_trial(config)
    trial = run_trial(config)
    assert (trial.number, trial.state, trial.epochs, len(trial.sessions)) == (0, "finished", 2, 2)
    assert sslreg.load_run(tmp_path / "0000").summary["resumed_at"] == [2]


@pytest.mark.parametrize("origin", ["search", "start"])
def test_only_a_trial_of_the_search_is_pruned(
    search, run_trial: RunTrial, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    over = "loss.temperature=0.6..1" if origin == "search" else "loss.temperature=0.1..1"
    config = search("trainer.max_epochs=3", over=(over,))
    monkeypatch.setattr(trial_training, "is_unpromising", lambda number, origin, *_, **__: origin == "search")
    trial = run_trial(config)
    assert trial.origin == origin
    if origin == "search":
        assert (trial.state, trial.epochs, trial.figure, list(trial.intermediate)) == ("pruned", 1, None, [1])
    else:
        assert trial.state == "finished"


def test_without_pruning_every_trial_is_trained_to_its_end(
    search, run_trial: RunTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_training, "is_unpromising", lambda *_, **__: True)
    assert run_trial(search(over=("loss.temperature=0.6..1",), prunes=False)).state == "finished"


def test_a_spec_that_does_not_fit_the_data_fails(search, run_trial: RunTrial) -> None:
    trial = run_trial(search(over=("data.batch_size=64,4000",), trials=(({"data.batch_size": 4000}, 0),)))
    assert trial.state == "failed"
    assert "4000" in str(trial.reason)


def test_a_figure_that_is_missing_fails(search, run_trial: RunTrial) -> None:
    trial = run_trial(search(figure=Figure("knn_top1", every=1)))
    assert trial.state == "failed"
    assert "knn_top1, the figure that judges trials, is missing" in str(trial.reason)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("the disk\nis on fire"), "ValueError: the disk"),
        (MemoryError(), "MemoryError"),
        (sslreg.SslregError("the loss is nan"), "the loss is nan"),
    ],
)
def test_whatever_goes_wrong_is_the_reason(
    search, run_trial: RunTrial, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(sslreg, "train_or_resume", fail)
    trial = run_trial(search())
    assert (trial.state, trial.reason) == ("failed", reason)


def test_a_full_disk_is_no_fault_of_the_trial(search, run_trial: RunTrial, monkeypatch: pytest.MonkeyPatch) -> None:
    config = search()

    def fail(*_: Any, **__: Any) -> None:
        raise sslreg.SslregError("no space is left", code="disk-full")

    with monkeypatch.context() as patch:
        patch.setattr(sslreg, "train_or_resume", fail)
        with pytest.raises(sslreg.SslregError, match="no space"):
            run_trial(config)
    assert run_trial(config).number == 0


def test_a_training_outlasts_a_storage_that_does_not_answer(
    search, run_trial: RunTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, calls = TrialStorage.report, []

    def fail_once(self: TrialStorage, number: int, epochs: int, figure: float) -> None:
        calls.append(epochs)
        if len(calls) == 1:
            raise StorageError("no answer", code="storage")
        report(self, number, epochs, figure)

    monkeypatch.setattr(TrialStorage, "report", fail_once)
    trial = run_trial(search())
    assert (trial.state, list(trial.intermediate)) == ("finished", [1, 2])
    assert calls == [1, 1, 2]
