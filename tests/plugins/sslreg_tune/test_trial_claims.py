"""Claims of trials."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import sslreg
from sslreg_tune import trial_claims
from sslreg_tune.budget import Budget
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.trial_claims import TrialClaims
from sslreg_tune.trial_storage import TrialStorage, file_url

#: Claims a trial, and keeps it until it is killed.
HOLD = """
import pickle, sys, time
claims, budget = pickle.load(sys.stdin.buffer)
from sslreg_tune.trial_claims import TrialClaims
from sslreg_tune.trial_storage import TrialStorage, file_url
folder, config = claims
storage = TrialStorage(file_url(folder / "study.db"), "mine", lowest=True)
claim = TrialClaims(folder, "here", storage, config, 4).take(budget)
print(claim.number, flush=True)
time.sleep(600)
"""

OpenClaims = Callable[..., TrialClaims]


@pytest.fixture
def config(search) -> SearchConfig:
    return search()


@pytest.fixture
def open_claims(config: SearchConfig, tmp_path: Path) -> OpenClaims:
    def build(folder: str = "here") -> TrialClaims:
        storage = TrialStorage(file_url(tmp_path / "study.db"), "mine", lowest=True)
        return TrialClaims(tmp_path, folder, storage, config, 4)

    return build


def test_two_processes_claim_different_trials(open_claims: OpenClaims) -> None:
    first, second = open_claims().take(Budget()), open_claims().take(Budget())
    assert first is not None
    assert second is not None
    assert (first.number, second.number) == (0, 1)
    assert first.values != second.values


def test_the_budget_ends_the_claims(open_claims: OpenClaims) -> None:
    claims = open_claims()
    assert claims.take(Budget(trials=1)) is not None
    assert claims.take(Budget(trials=1)) is None


def test_a_trial_whose_process_was_killed_is_taken_over(
    open_claims: OpenClaims, config: SearchConfig, tmp_path: Path
) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write(pickle.dumps(((tmp_path, config), Budget())))
        process.stdin.close()
        assert process.stdout.readline() == b"0\n"
        claims = open_claims()
        assert claims.take(Budget(trials=1)) is None
        assert claims.find_abandoned() == []
        process.kill()
        process.wait()
    values = claims.storage.read_trial(0).values
    assert claims.find_abandoned() == [0]
    claim = claims.take(Budget(trials=1))
    assert claim is not None
    assert (claim.number, claim.values) == (0, values)


def test_a_trial_without_values_is_taken_over(open_claims: OpenClaims, config: SearchConfig) -> None:
    """Its process was killed after it had created the trial."""
    claims = open_claims()
    claims.storage.create_trial("here")
    claim = claims.take(Budget())
    assert claim is not None
    assert (claim.number, claim.values, claim.origin) == (0, config.space.starting, "start")


def test_a_trial_of_another_folder_is_left_alone(open_claims: OpenClaims) -> None:
    claims = open_claims()
    claims.storage.create_trial("there")
    claim = claims.take(Budget())
    assert claim is not None
    assert claim.number == 1
    assert open_claims("there").find_abandoned() == [0]


def test_a_silent_trial_of_another_folder_is_lost(open_claims: OpenClaims, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = open_claims()
    for folder in ("here", "there"):
        claims.storage.create_trial(folder)
    assert list(map(claims.may_end, claims.storage.read_trials())) == [True, True]
    monkeypatch.setattr(trial_claims, "LOST_AFTER", -1.0)
    assert list(map(claims.may_end, claims.storage.read_trials())) == [True, False]


def test_a_trial_that_has_ended_is_not_claimed(open_claims: OpenClaims) -> None:
    claims = open_claims()
    claim = claims.take(Budget())
    assert claim is not None
    claims.storage.finish(0, 0.5)
    claim.lock.release()
    assert claims.find_abandoned() == []
    assert claims.take(Budget(trials=1)) is None


def test_a_list_ends(search, tmp_path: Path) -> None:
    config = search(over=("loss.temperature=0.1,0.2",), trials=(({"loss.temperature": 0.2}, 3),))
    storage = TrialStorage(file_url(tmp_path / "study.db"), "mine", lowest=True)
    claims = TrialClaims(tmp_path, "here", storage, config, 0)
    claim = claims.take(Budget())
    assert claim is not None
    assert claim.seed == 3
    assert claims.take(Budget()) is None


def test_a_claim_is_released_if_its_values_cannot_be_written(
    open_claims: OpenClaims, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = open_claims()

    def fail(*_: object) -> None:
        raise sslreg.SslregError("no answer")

    monkeypatch.setattr(claims.storage, "assign", fail)
    with pytest.raises(sslreg.SslregError):
        claims.take(Budget())
    assert claims.find_abandoned() == [0]
