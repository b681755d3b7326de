"""The best trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sslreg_tune.trial_record import find_best


def test_the_first_of_equal_figures_is_the_best(studies: Any) -> None:
    trials = [
        replace(trial, figure=figure)
        for trial, figure in zip(studies.make_trials(5), (2.0, 1.0, 1.0, 2.0, None), strict=True)
    ]
    assert find_best(trials, lowest=True) == trials[1]
    assert find_best(reversed(trials), lowest=False) == trials[0]
    assert find_best([trials[4]], lowest=True) is None
