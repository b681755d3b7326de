"""Pairs of trials that differ in one operation alone."""

from __future__ import annotations

from typing import Any

from sslreg_tune.pairs import find_pair


def test_a_pair_has_the_same_seed_and_the_same_other_values(studies: Any) -> None:
    trials = [
        studies.make_record(0, 0.5, flip="off", lr=0.1),
        studies.make_record(1, 0.6, flip="as written", lr=0.2),
        studies.make_record(2, 0.7, flip="as written", lr=0.3),
    ]
    assert find_pair(trials, "flip", lowest=False) is None
    trials.append(studies.make_record(3, 0.4, flip="scaled", lr=0.1, **{"flip.strength": 0.5}))
    assert find_pair(trials, "flip", lowest=False) == (0, 3)
    assert find_pair(trials, "elastic", lowest=False) is None
    assert find_pair([*trials[:3], studies.make_record(3, None, flip="scaled", lr=0.1)], "flip", lowest=False) is None
