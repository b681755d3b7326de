"""Pruning of trials that do not look promising."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from sslreg_tune.pruning import is_unpromising
from sslreg_tune.trial_storage import StoredTrial


def other(number: int, figure: float, **changes: Any) -> StoredTrial:
    fields: dict[str, Any] = {"state": "finished", "folder": "here", "values": {}, "seed": 0, "origin": "search"}
    fields |= {
        "figure": None,
        "intermediate": {4: figure},
        "epochs": 3,
        "sessions": [],
        "reason": None,
        "seen": 0.0,
        "ended": 0.0,
    }
    fields |= {"frozen": optuna.trial.create_trial(state=TrialState.FAIL)}
    return StoredTrial(number=number, **fields | changes)


OTHERS = [other(number, figure) for number, figure in enumerate((0.1, 0.2, 0.3, 0.4, 0.5))]


def judge(intermediate: dict[int, float], trials: list[StoredTrial] = OTHERS, **changes: Any) -> bool:
    options: dict[str, Any] = {"origin": "search", "lowest": False, "max_epochs": 8} | changes
    origin = options.pop("origin")
    return is_unpromising(9, origin, intermediate, trials, **options)


def test_a_trial_below_the_median_of_the_same_epoch_is_pruned() -> None:
    assert judge({4: 0.29})
    assert not judge({4: 0.31})
    assert judge({4: 0.31}, lowest=True)


def test_the_best_figure_so_far_counts() -> None:
    assert not judge({3: 0.4, 4: 0.1})


def test_too_few_figures_of_the_epoch_prune_nothing() -> None:
    assert not judge({4: 0.0}, OTHERS[:4])
    assert not judge({5: 0.0})


def test_figures_of_pruned_trials_count() -> None:
    assert judge({4: 0.29}, [*OTHERS[:4], other(4, 0.5, state="pruned")])


def test_early_epochs_prune_nothing() -> None:
    assert not judge({4: 0.0}, max_epochs=13)


@pytest.mark.parametrize("origin", ["start", "design", "list"])
def test_trials_from_which_effects_are_estimated_are_not_pruned(origin: str) -> None:
    assert not judge({4: 0.0}, origin=origin)
