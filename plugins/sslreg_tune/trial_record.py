"""What is known of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

State = Literal["running", "finished", "pruned", "failed"]


@dataclass(frozen=True)
class TrialRecord:
    """A trial of a study.

    Attributes:
        number: Its number from 0. The first is the starting spec.
        state: Whether it runs, is finished, was pruned, or failed.
        values: The values of its parameters, by their names.
        figure: The figure that judges a finished trial.
        intermediate: The figures during the training, by finished epochs.
        path: The folder of its run.
        reason: Why it failed.
        seed: The seed of its run.
    """

    number: int
    state: State
    values: Mapping[str, Any]
    figure: float | None
    intermediate: Mapping[int, float]
    path: Path
    reason: str | None = None
    seed: int = 0
