"""Made-up studies whose effects are known, configurations of small searches, and studies in separate processes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sslreg
from sslreg_tune.effects import Interval
from sslreg_tune.figure import Figure
from sslreg_tune.final import FinalComparison
from sslreg_tune.parameters import Choice, Operation, Range
from sslreg_tune.results import Results, collect_results
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.search_space import SearchSpace, build_search_space
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

#: Other parameters.
OTHERS = (Range("optimizer.lr", 0.1, 0.5), Choice("width", (8, 16)))

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

    @classmethod
    def make_config(cls, **options: Any) -> SearchConfig:
        """Return the configuration of a search of the six operations, the learning rate and the width."""
        starting = {operation.name: operation.starts for operation in cls.operations} | {
            "optimizer.lr": 0.1,
            "width": 8,
        }
        space = SearchSpace((*cls.operations, *OTHERS), starting, {"optimizer.lr": 0.1, "width": 8})
        return SearchConfig("digits-simclr", (), Figure("few_shot_1"), space, validation=0.3, **options)

    @classmethod
    def make_results(cls, folder: Path, *, final: FinalComparison | None = None, **options: Any) -> Results:
        """Return the results of a study of 20 trials, of which one is pruned, one failed and one runs."""
        trials = []
        for trial in cls.make_trials(20, **options):
            values = {
                **trial.values,
                "optimizer.lr": 0.1 + trial.number % 4 / 10,
                "width": (8, 16)[trial.number // 3 % 2],
            }
            trials.append(replace(trial, values=values, path=folder / trial.path, intermediate={1: 0.5}))
        trials[15] = replace(trials[15], state="pruned", figure=None)
        trials[16] = replace(trials[16], state="failed", figure=None, reason="the loss is not finite")
        trials[19] = replace(trials[19], state="running", figure=None)
        return replace(collect_results(folder, cls.make_config(), trials), final=final)

    @staticmethod
    def make_final(**options: Any) -> FinalComparison:
        """Return a final comparison that the winner has won."""
        levels = [Interval.around(value, half) for value, half in ((0.71, 0.024), (0.78, 0.021), (0.07, 0.03))]
        profile = {"shape": 0.5, "shape_ci": 0.03, "elastic": 0.25, "elastic_ci": 0.01, "color": 0.75}
        profiles = {"start": profile, "best": {**profile, "shape": 0.25}}
        comparison = FinalComparison("few_shot_1", False, True, (1, 2, 3), *levels, earlier=0, profiles=profiles)
        return replace(comparison, **options)


@pytest.fixture(scope="session")
def studies() -> type[MadeUpStudies]:
    return MadeUpStudies


#: A training of two epochs with two steps each, judged by its loss.
SHORT = ("data.train.subset=128", "data.test=null", "evaluate=[]", "trainer.max_epochs=2")
TEMPERATURE = "loss.temperature=0.05..1:log"

#: Runs a study until the budget is used up: the configuration, folder, storage and budget are on the standard input.
PROGRAM = """
import pickle, sys
import torch
from rich.console import Console
import sslreg
from sslreg_tune.study import Study
torch.set_num_threads(1)
folder, config, storage, budget, parallel = pickle.load(sys.stdin.buffer)
try:
    study = Study(folder, config, storage=storage, budget=budget)
    study.run(budget, parallel=parallel, console=Console(stderr=True))
except sslreg.SslregError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_status)
"""

Search = Callable[..., SearchConfig]


@pytest.fixture
def search(tiny_spec: str, tmp_path: Path) -> Search:
    """Return a function that builds a configuration; keywords are fields of it, and ``over``."""

    def build(*overrides: str, over: tuple[str, ...] = (TEMPERATURE,), **fields: Any) -> SearchConfig:
        file = tmp_path / "tiny.yaml"
        file.write_text(tiny_spec)
        settings = (*SHORT, *overrides)
        space = build_search_space(sslreg.load_spec(file, settings), over, False, settings)
        figure = fields.pop("figure", Figure("loss", lowest=True, every=1))
        return SearchConfig(str(file), settings, figure, space, **fields)

    return build


@pytest.fixture
def start_study() -> Callable[..., subprocess.Popen[bytes]]:
    """Return a function that runs a study in another process."""

    def start(folder: Path, config: SearchConfig, budget: Any, *, storage: Any = None, parallel: int = 1) -> Any:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert process.stdin is not None
        process.stdin.write(pickle.dumps((folder, config, storage, budget, parallel)))
        process.stdin.close()
        process.stdin = None
        return process

    return start
