"""The progress of a study."""

from __future__ import annotations

import io
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from rich.console import Console

from sslreg_tune.progress import StudyProgress
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.trial_storage import StoredTrial


def trial(number: int, state: str, **changes: Any) -> StoredTrial:
    fields: dict[str, Any] = {"folder": "here", "values": {"loss.temperature": 0.1}, "seed": 0, "origin": "search"}
    fields |= {
        "figure": None,
        "intermediate": {},
        "epochs": 1,
        "sessions": [],
        "reason": None,
        "seen": 0.0,
        "ended": 1.0,
    }
    fields |= {"frozen": optuna.trial.create_trial(state=TrialState.FAIL)}
    return StoredTrial(number=number, state=state, **fields | changes)  # type: ignore[arg-type]


@pytest.fixture
def config(search) -> SearchConfig:
    return search()


def test_each_trial_that_ends_has_a_line(config: SearchConfig) -> None:
    text = io.StringIO()
    trials = [trial(0, "finished", figure=2.0), trial(1, "running", ended=None)]
    with StudyProgress(config, Console(file=text, width=60), trials) as progress:
        trials += [
            trial(2, "finished", figure=1.5, ended=3.0),
            trial(3, "pruned", intermediate={1: 2.5}, ended=2.0),
            trial(4, "failed", reason="it has [no] data", ended=4.0),
        ]
        progress.show(trials)
        progress.show(trials)
    assert text.getvalue().splitlines() == [
        "1 trial so far, best 2.000 (trial 0)",
        "trial 3  pruned after epoch 1 at 2.500  best 2.000 (trial 0)  temperature .1",
        "trial 2  1.500  best 1.500 (trial 2)  temperature .1",
        "trial 4  failed: it has [no] data  best 1.500 (trial 2)  temperature .1",
    ]


def test_a_terminal_shows_the_trials_that_run(config: SearchConfig) -> None:
    text = io.StringIO()
    with StudyProgress(config, Console(file=text, width=100, force_terminal=True), []) as progress:
        progress.show([trial(7, "running", ended=None, intermediate={1: 2.5})])
        assert progress._status is not None
        assert progress._status.status == "trial 7: epoch 1/2 loss 2.500"
