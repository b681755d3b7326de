"""The trials of a study in a database."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from optuna.exceptions import StorageInternalError

import sslreg
from sslreg_tune import trial_storage
from sslreg_tune.trial_storage import StorageError, TrialStorage, TrialValues, file_url, parse_url

CHOSEN = TrialValues({"lr": 0.1}, 7, "design", {"lr": 0.1}, {"lr": FloatDistribution(0.01, 1.0)})


@pytest.fixture
def storage(tmp_path: Path) -> TrialStorage:
    return TrialStorage(file_url(tmp_path / "study.db"), "mine", lowest=False)


def test_a_trial_is_read_as_it_was_written(storage: TrialStorage, tmp_path: Path) -> None:
    number = storage.create_trial("here")
    assert storage.read_trial(number).values is None
    storage.assign(number, CHOSEN)
    storage.report(number, 2, 0.25)
    storage.set_trial_attribute(number, "epochs", 3)
    storage.finish(number, 0.5)
    again = TrialStorage(file_url(tmp_path / "study.db"), "mine", lowest=False)
    (trial,) = again.read_trials()
    assert (trial.number, trial.state, trial.folder, trial.values) == (0, "finished", "here", {"lr": 0.1})
    assert (trial.seed, trial.origin, trial.figure, trial.epochs) == (7, "design", 0.5, 3)
    assert trial.intermediate == {2: 0.25}
    assert trial.ended == pytest.approx(time.time(), abs=60)
    assert trial.frozen.params == {"lr": 0.1}


def test_trials_end_as_pruned_or_failed(storage: TrialStorage) -> None:
    for _ in range(3):
        storage.create_trial("here")
    storage.report(0, 1, 0.1)
    storage.prune(0)
    storage.prune(1)
    storage.fail(2, "it has no data")
    first, second, third = storage.read_trials()
    assert (first.state, first.figure, first.frozen.value) == ("pruned", None, 0.1)
    assert second.state == "pruned"
    assert (third.state, third.reason) == ("failed", "it has no data")


def test_an_end_that_is_told_twice_is_the_first(storage: TrialStorage) -> None:
    """The answer to the first attempt may be lost."""
    storage.create_trial("here")
    storage.finish(0, 0.5)
    storage.finish(0, 0.6)
    assert storage.read_trial(0).figure == 0.5


def test_a_database_that_does_not_answer_is_tried_again(storage: TrialStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_storage, "PAUSE", 0.0)
    attempts: list[None] = []
    read = storage._storage.get_all_trials

    def fail(*arguments: Any, **options: Any) -> Any:
        attempts.append(None)
        if len(attempts) < 3:
            raise StorageInternalError("database is locked")
        return read(*arguments, **options)

    monkeypatch.setattr(storage._storage, "get_all_trials", fail)
    assert storage.read_trials() == []
    assert len(attempts) == 3
    attempts.clear()
    with storage.without_retries(), pytest.raises(StorageError, match="does not answer: database is locked"):
        storage.read_trials()


@pytest.mark.parametrize("text", ["studies.db", "postgresql//host/db", ""])
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(sslreg.UserError, match="not the URL of a database") as caught:
        parse_url(text)
    assert "sqlite:///FILE" in str(caught.value.diagnostics[0].hint)


@pytest.mark.parametrize("text", ["postgres://me:secret@host/db", "postgresql://me:secret@host/db"])
def test_postgresql_uses_psycopg(text: str) -> None:
    assert parse_url(text).drivername == "postgresql+psycopg"


def test_an_unknown_database_is_refused() -> None:
    with pytest.raises(sslreg.UserError, match="no driver for oracle9 is installed"):
        TrialStorage(parse_url("oracle9://me:secret@host/db"), "mine", lowest=False)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "psycopg" else find(name))
    with pytest.raises(sslreg.UserError, match="needs psycopg") as caught:
        TrialStorage(parse_url("postgresql://me:secret@host/db"), "mine", lowest=False)
    assert "pip install 'psycopg[binary]'" in str(caught.value)


def test_a_server_that_cannot_be_reached_is_named_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setattr(trial_storage, "OPENING_PAUSE", 0.0)
    with pytest.raises(StorageError, match=r"me:\*\*\*@127.0.0.1:1/db cannot be opened: .*refused") as caught:
        TrialStorage(parse_url("postgresql://me:secret@127.0.0.1:1/db"), "mine", lowest=False)
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_storage, "OPENING_PAUSE", 0.0)
    with pytest.raises(StorageError, match=r"study\.db cannot be opened: unable to open database file"):
        TrialStorage(file_url(tmp_path / "missing" / "study.db"), "mine", lowest=False)


def test_a_name_with_special_characters_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "50% {odd} #1?.db"
    TrialStorage(file_url(path), "mine", lowest=False)
    assert path.exists()
