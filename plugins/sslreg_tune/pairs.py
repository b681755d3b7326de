"""Pairs of trials that differ in one operation alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class _Trial(Protocol):
    """A trial. Only finished ones have a figure."""

    @property
    def number(self) -> int: ...
    @property
    def figure(self) -> float | None: ...
    @property
    def values(self) -> Mapping[str, Any] | None: ...
    @property
    def seed(self) -> int: ...


def find_pair(trials: Sequence[_Trial], operation: str, *, lowest: bool) -> tuple[int, int] | None:
    """Return two finished trials that differ in an operation alone, the one without it first; None if there are none.

    Of several pairs, it is the one with the best trial. The strength of the operation does not matter.

    Args:
        trials: The trials.
        operation: The name of the operation.
        lowest: Whether the lowest figure is best.
    """
    sides: dict[str, tuple[list[_Trial], list[_Trial]]] = {}
    for trial in trials:
        if trial.figure is not None and trial.values is not None and operation in trial.values:
            ignored = (operation, f"{operation}.strength")
            others = {key: value for key, value in trial.values.items() if key not in ignored}
            key = json.dumps([trial.seed, others], sort_keys=True, default=str)
            sides.setdefault(key, ([], []))[trial.values[operation] != "off"].append(trial)
    sign = 1 if lowest else -1
    pairs = [(off, on) for without, with_it in sides.values() for off in without for on in with_it]
    best = min(pairs, key=lambda pair: sorted(sign * (trial.figure or 0.0) for trial in pair), default=None)
    return None if best is None else (best[0].number, best[1].number)
