"""A study in one process."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import sslreg
from sslreg_tune import study as study_module
from sslreg_tune.budget import Budget
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.study import Study
from sslreg_tune.trial_storage import TrialStorage


class Output(Console):
    """A console whose text is kept."""

    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), width=200)

    @property
    def text(self) -> str:
        assert isinstance(self.file, io.StringIO)
        return self.file.getvalue()


def open_study(folder: Path, config: SearchConfig, **options: Any) -> Study:
    return Study(folder, config, **{"budget": Budget(trials=3)} | options)


def test_a_study_has_records_of_its_trials_and_a_best_one(search, tmp_path: Path) -> None:
    study, output = open_study(tmp_path / "study", search()), Output()
    assert study.best() is None
    assert study.run(Budget(trials=3), console=output)
    records = study.records()
    assert [record.number for record in records] == [0, 1, 2]
    assert {record.state for record in records} == {"finished"}
    assert all(sslreg.load_run(record.path).summary["status"] == "finished" for record in records)
    best = study.best()
    assert best is not None
    assert best.figure == min(record.figure or 9.0 for record in records)
    lines = output.text.splitlines()
    assert [line.split()[:2] for line in lines] == [["trial", str(number)] for number in range(3)]
    assert f"best {best.figure:.3f} (trial {best.number})" in lines[-1]
    assert "the starting spec" in lines[0]


def test_a_repeated_command_continues_with_a_larger_budget(search, tmp_path: Path) -> None:
    for count in (1, 1, 2):
        output = Output()
        study = open_study(tmp_path / "study", search())
        study.run(Budget(trials=count), console=output)
        assert len(study.records()) == count
    assert "1 trial so far, best " in output.text
    assert "trial 1" in output.text


def test_a_study_of_another_search_is_refused(search, tmp_path: Path) -> None:
    open_study(tmp_path / "study", search())
    with pytest.raises(sslreg.UserError, match="was started with another value of --seed"):
        open_study(tmp_path / "study", search(seed=1))


def test_a_shared_database_refuses_another_search_from_another_folder(search, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    open_study(tmp_path / "one" / "digits", search(), storage=storage)
    open_study(tmp_path / "two" / "digits", search(), storage=storage)
    with pytest.raises(sslreg.UserError, match=r"the study digits in sqlite.*another value of --seed"):
        open_study(tmp_path / "three" / "digits", search(seed=1), storage=storage)


def test_another_storage_is_refused(search, tmp_path: Path) -> None:
    open_study(tmp_path / "study", search())
    with pytest.raises(sslreg.UserError, match=r"the trials of the study in .* are in its own study.db"):
        open_study(tmp_path / "study", search(), storage=f"sqlite:///{tmp_path / 'shared.db'}")


def test_no_password_is_written(search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = TrialStorage.__init__

    def connect(self: TrialStorage, url: Any, name: str, *, lowest: bool) -> None:
        local(self, study_module.file_url(tmp_path / "server.db"), name, lowest=lowest)

    monkeypatch.setattr(TrialStorage, "__init__", connect)
    open_study(tmp_path / "study", search(), storage="postgresql://me:secret@host/db")
    content = (tmp_path / "study" / "study.json").read_text()
    assert json.loads(content)["storage"] == "postgresql+psycopg://me:***@host/db"
    assert "secret" not in content


def test_the_number_of_design_trials_stays_when_the_budget_is_raised(search, tmp_path: Path) -> None:
    for budget in (Budget(trials=4), Budget(trials=100)):
        assert open_study(tmp_path / "study", search(), budget=budget).claims.design_size == 0


@pytest.mark.parametrize("variable", ["WORLD_SIZE", "SLURM_NTASKS"])
def test_a_study_is_not_a_distributed_training(
    search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "4")
    with pytest.raises(sslreg.UserError, match=f"{variable} is 4") as caught:
        open_study(tmp_path / "study", search())
    assert "job array" in str(caught.value.diagnostics[0].hint)
    assert not (tmp_path / "study").exists()


def test_a_damaged_study_file_is_named(search, tmp_path: Path) -> None:
    open_study(tmp_path / "study", search())
    (tmp_path / "study" / "study.json").write_text("{")
    with pytest.raises(sslreg.UserError, match=r"study\.json is damaged"):
        open_study(tmp_path / "study", search())


def test_a_folder_that_cannot_be_created_is_named(search, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(sslreg.SslregError, match="cannot be created"):
        open_study(tmp_path / "file" / "study", search())


def test_runs_survive_the_loss_of_the_database(search, tmp_path: Path) -> None:
    """The trials are the same, and their runs are finished."""
    study = open_study(tmp_path / "study", search())
    study.run(Budget(trials=2), console=Output())
    figures = [record.figure for record in study.records()]
    for path in (tmp_path / "study").glob("study.db*"):
        path.unlink()
    again = open_study(tmp_path / "study", search())
    again.run(Budget(trials=2), console=Output())
    assert [record.figure for record in again.records()] == figures


FailTrials = Callable[[int], None]


@pytest.fixture
def fail_trials(monkeypatch: pytest.MonkeyPatch) -> FailTrials:
    """Let all trials fail but the one of a number."""

    def arrange(but: int) -> None:
        train = sslreg.train_or_resume

        def run(spec: Any, out: Path, **options: Any) -> Any:
            if out.name == f"{but:04}":
                return train(spec, out, **options)
            raise sslreg.SslregError(f"{out.name} is unlucky")

        monkeypatch.setattr(sslreg, "train_or_resume", run)

    return arrange


def test_a_failed_trial_does_not_end_a_study(search, tmp_path: Path, fail_trials: FailTrials) -> None:
    fail_trials(1)
    study, output = open_study(tmp_path / "study", search()), Output()
    assert study.run(Budget(trials=3), console=output)
    assert [record.state for record in study.records()] == ["failed", "finished", "failed"]
    assert "trial 0  failed: 0000 is unlucky" in output.text


def test_ten_failures_in_a_row_end_a_study(search, tmp_path: Path, fail_trials: FailTrials) -> None:
    fail_trials(1)
    config = search(over=("loss.temperature=0.01..1",))
    study = open_study(tmp_path / "study", config)
    message = "10 trials in a row have failed; the last one, trial 11: 0011 is unlucky"
    with pytest.raises(sslreg.SslregError, match=message):
        study.run(Budget(), console=Output())
    assert len(study.records()) == 12
    # The cause may have been removed before the command is repeated.
    fail_trials(12)
    again = open_study(tmp_path / "study", config)
    assert again.run(Budget(trials=14), console=Output())


def test_a_signal_ends_a_study_that_the_same_command_continues(
    search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = TrialStorage.report

    def interrupt(self: TrialStorage, number: int, epochs: int, figure: float) -> None:
        report(self, number, epochs, figure)
        if (number, epochs) == (1, 1):
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(TrialStorage, "report", interrupt)
        with pytest.raises(sslreg.InterruptedRunError, match="interrupted by SIGTERM") as caught:
            open_study(tmp_path / "study", search()).run(Budget(trials=3), console=Output())
    assert caught.value.diagnostics[0].hint == "continue with the same command"
    assert caught.value.exit_status == 75
    study = open_study(tmp_path / "study", search())
    assert [record.state for record in study.records()] == ["finished", "running"]
    study.run(Budget(trials=3), console=Output())
    assert sslreg.load_run(study.trial_path(1)).summary["resumed_at"] == [2]
    assert [record.state for record in study.records()] == ["finished"] * 3


def test_a_signal_between_two_trials_ends_a_study(search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = TrialStorage.finish

    def interrupt(self: TrialStorage, number: int, figure: float) -> None:
        finish(self, number, figure)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(TrialStorage, "finish", interrupt)
    study = open_study(tmp_path / "study", search())
    with pytest.raises(sslreg.InterruptedRunError):
        study.run(Budget(trials=3), console=Output())
    assert [record.state for record in study.records()] == ["finished"]


def test_a_study_whose_trials_run_elsewhere_has_not_ended(search, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    one = open_study(tmp_path / "one" / "digits", search(), storage=storage)
    two = open_study(tmp_path / "two" / "digits", search(), storage=storage)
    claim = one.claims.take(Budget())
    assert claim is not None
    assert not two.run(Budget(trials=2), console=Output())
    assert [record.number for record in two.records() if record.state == "finished"] == [1]
    shutil.rmtree(tmp_path / "one")
    claim.lock.release()


def test_one_process_makes_the_final_comparison(search, tmp_path: Path) -> None:
    one, two = (open_study(tmp_path / "study", search()) for _ in range(2))
    with one.claim_comparison() as is_claimed:
        assert is_claimed
        with two.claim_comparison() as is_claimed_again:
            assert not is_claimed_again
    with two.claim_comparison() as is_claimed:
        assert is_claimed
