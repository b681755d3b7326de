"""The record of a trial, as results and pages read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

State = Literal["running", "finished", "pruned", "failed"]

#: Where the values of a trial come from: the starting spec, the design, the search, a comparison with the best trial,
#: or a list (a grid, seeds).
Origin = Literal["start", "design", "search", "comparison", "list"]


class _Judged(Protocol):
    """A trial that has a figure once it is finished."""

    @property
    def number(self) -> int: ...
    @property
    def figure(self) -> float | None: ...


T = TypeVar("T", bound=_Judged)


@dataclass(frozen=True)
class TrialRecord:
    """A trial of a study.

    Attributes:
        number: Its number from 0. The first is the starting spec, unless that lies outside of the space.
        state: Whether it runs, is finished, was pruned, or failed.
        values: The values of its parameters, by their names.
        figure: The figure that judges a finished trial.
        intermediate: The figures during the training, by finished epochs.
        path: The folder of its run. A trial of another machine may have no folder here.
        reason: Why it failed.
        seed: The seed of its run.
        origin: Where its values come from.
        epochs: The number of epochs that it has trained.
    """

    number: int
    state: State
    values: Mapping[str, Any]
    figure: float | None
    intermediate: Mapping[int, float]
    path: Path
    reason: str | None = None
    seed: int = 0
    origin: Origin = "search"
    epochs: int = 0


def find_best(trials: Iterable[T], *, lowest: bool) -> T | None:
    """Return the finished trial with the best figure, the first of equal ones; None if no trial is finished.

    Args:
        trials: The trials. Only finished ones have a figure.
        lowest: Whether the smallest figure is best.
    """
    finished = [trial for trial in trials if trial.figure is not None]
    sign = 1 if lowest else -1
    return min(finished, key=lambda trial: (sign * (trial.figure or 0.0), trial.number), default=None)
