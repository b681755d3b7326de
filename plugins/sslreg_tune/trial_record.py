"""The record of a trial, as results and pages read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

State = Literal["running", "finished", "pruned", "failed"]

#: Where the values of a trial come from: the starting spec, the design, the search, or a list (a grid, seeds).
Origin = Literal["start", "design", "search", "list"]


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
