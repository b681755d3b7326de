"""The budget of a study."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from sslreg_tune.budget import Budget, count_busy_seconds
from sslreg_tune.trial_storage import StoredTrial


def trial(**changes: Any) -> StoredTrial:
    fields: dict[str, Any] = {"number": 0, "state": "finished", "folder": "here", "values": {}, "seed": 0}
    fields |= {
        "origin": "search",
        "figure": 0.5,
        "intermediate": {},
        "epochs": 3,
        "sessions": [],
        "reason": None,
        "seen": 0.0,
    }
    fields |= {"ended": 0.0, "frozen": optuna.trial.create_trial(state=TrialState.FAIL)}
    return StoredTrial(**fields | changes)


def test_without_limits_a_study_does_not_end() -> None:
    assert not Budget().is_used_up([trial()] * 1000, 10)


def test_every_trial_counts_whatever_its_state() -> None:
    trials = [trial(), trial(state="failed"), trial(state="running")]
    assert Budget(trials=3).is_used_up(trials, 10)
    assert not Budget(trials=4).is_used_up(trials, 10)


@pytest.mark.parametrize(("limit", "is_used_up"), [(16, True), (17, False)])
def test_a_running_trial_counts_with_all_its_epochs(limit: int, is_used_up: bool) -> None:
    trials = [trial(epochs=6), trial(epochs=2, state="running")]
    assert Budget(epochs=limit).is_used_up(trials, 10) is is_used_up


def test_hours_are_those_in_which_a_trial_was_trained() -> None:
    """Two trials at the same time, a pause, and a trial in two sessions."""
    trials = [trial(sessions=[(0, 1800)]), trial(sessions=[(600, 2400)]), trial(sessions=[(9000, 9600), (9300, 10200)])]
    assert count_busy_seconds(trials) == 2400 + 1200
    assert Budget(hours=1).is_used_up(trials, None)
    assert not Budget(hours=1.01).is_used_up(trials, None)


def test_the_number_of_trials_is_estimated_from_epochs() -> None:
    assert Budget(epochs=100).estimate_trials(10) == 10
    assert Budget(epochs=100, trials=5).estimate_trials(10) == 5
    assert Budget(hours=1).estimate_trials(10) is None
