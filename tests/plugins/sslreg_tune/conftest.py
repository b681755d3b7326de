"""Made-up studies whose effects are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sslreg_tune.parameters import Operation
from sslreg_tune.trial_record import State, TrialRecord

#: The effects of six operations, and their invariances.
EFFECTS = {"elastic": 0.08, "flip": -0.09, "rotation": -0.05, "noise": 0.0, "jitter": 0.03, "gray": 0.0}
GROUPS = {
    "elastic": "shape",
    "flip": "shape",
    "rotation": "shape",
    "noise": "texture",
    "jitter": "color",
    "gray": "color",
}

OPERATIONS = [Operation(name, frozenset([group]), ("off", "scaled"), "off") for name, group in GROUPS.items()]


class MadeUpStudies:
    """Makes trials of six operations."""

    effects = EFFECTS
    operations = OPERATIONS

    @staticmethod
    def make_record(number: int, figure: float | None, state: State = "finished", **values: Any) -> TrialRecord:
        return TrialRecord(number, state, values, figure, {}, Path(f"trials/{number:04d}"))

    @staticmethod
    def make_trials(
        count: int,
        seed: int = 0,
        *,
        effects: Mapping[str, float] = EFFECTS,
        interaction: float = 0.0,
        collapse: float = 0.0,
        adaptive: bool = True,
    ) -> list[TrialRecord]:
        """Return trials of the six operations with noise of 0.02. If adaptive, later trials change the best one so far.

        Args:
            count: The number of trials.
            seed: The seed.
            effects: The effects by operation.
            interaction: The interaction of elastic and jitter.
            collapse: The probability that a trial loses 0.3.
            adaptive: Whether trials depend on earlier ones.
        """
        rng = np.random.default_rng(seed)
        balanced = [rng.permutation(count) % 2 == 0 for _ in effects]
        records: list[TrialRecord] = []
        for number in range(count):
            on = {name: bool(column[number]) for name, column in zip(effects, balanced, strict=True)}
            if adaptive and number >= count // 3:
                best = max(records, key=lambda record: record.figure or 0.0)
                on = {name: (best.values[name] != "off") ^ bool(rng.random() < 0.25) for name in effects}
            codes = {name: is_on - 0.5 for name, is_on in on.items()}
            figure = 0.7 + sum(effects[name] * code for name, code in codes.items()) + rng.normal(0, 0.02)
            figure += 2 * interaction * codes["elastic"] * codes["jitter"] - 0.3 * (rng.random() < collapse)
            values: dict[str, Any] = {name: "scaled" if is_on else "off" for name, is_on in on.items()}
            values |= {f"{name}.strength": float(rng.random()) for name, is_on in on.items() if is_on}
            records.append(MadeUpStudies.make_record(number, float(figure), **values))
        return records


@pytest.fixture(scope="session")
def studies() -> type[MadeUpStudies]:
    return MadeUpStudies
