"""Everything that a study has found, at any time: during the search, after an interruption, and at its end."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sslreg
from sslreg_tune.effects import Effect, Interval, estimate_effects, judge_trials
from sslreg_tune.final import FinalComparison, is_start, read_final_comparison
from sslreg_tune.number_format import format_change, format_level
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.trial_record import State, TrialRecord, find_best

#: The states of trials in the order in which they are counted.
STATES: tuple[State, ...] = ("finished", "pruned", "failed", "running")


@dataclass(frozen=True)
class Trial:
    """A trial in the results.

    Attributes:
        number: Its number.
        state: Its state.
        figure: The figure; of a pruned trial, an estimate of what it would have reached; None if it has none.
        change: What differs from the starting spec.
        path: The folder of its run, relative to that of the study.
        reason: Why it failed.
        seed: The seed of its run.
    """

    number: int
    state: State
    figure: float | None
    change: str
    path: str
    reason: str | None
    seed: int


@dataclass(frozen=True)
class Combination:
    """Trials with the same values and different seeds.

    Attributes:
        change: What differs from the starting spec.
        figure: The mean over the finished trials, with an interval that covers the images and, of several trials, the
            seeds. None if none has finished.
        trials: The numbers of the trials.
        seeds: The seeds of the finished ones.
    """

    change: str
    figure: Interval | None
    trials: tuple[int, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Results:
    """What a study has found.

    Attributes:
        name: The name of the starting spec.
        figure: The name of the figure that judges trials.
        lowest: Whether a low figure is good.
        counts: The number of trials by state.
        trials: The trials by number.
        start: The figure of the starting spec; None unless its trial has finished.
        best: The trial with the best figure, of a grid or of several seeds within the best combination; None if no
            trial has finished.
        is_start_best: Whether that is the starting spec.
        best_values: The values of the parameters in the best trial.
        effects: The effects of the parameters, sorted; empty for a grid or for several seeds.
        combinations: The combinations of values of a grid or of several seeds, the best first; empty for a search.
        final: The final comparison; None if it was not made.
    """

    name: str
    figure: str
    lowest: bool
    counts: Mapping[State, int]
    trials: Sequence[Trial]
    start: float | None
    best: Trial | None
    is_start_best: bool
    best_values: Mapping[str, Any] | None
    effects: Sequence[Effect]
    combinations: Sequence[Combination]
    final: FinalComparison | None

    @property
    def sentence(self) -> str:
        """The most important result as a sentence without a period."""
        if self.final is not None:
            return self.final.sentence
        if self.best is None:
            return "no trial has finished"
        reached = f"{self.figure} {format_level(self.best.figure or 0.0)}"
        if self.combinations:
            return _describe_best(self.figure, self.combinations)
        if self.is_start_best:
            return f"no trial is better than the starting spec ({reached})"
        before = "" if self.start is None else f", the starting spec {format_level(self.start)}"
        return f"best so far: trial {self.best.number} with {reached}{before}"

    @property
    def effect_texts(self) -> dict[str, str]:
        """The effects of the parameters by their names, of choices that of the best option, as short texts."""
        return {
            effect.parameter: f"of {effect.change} {format_change(effect.estimate.value, effect.estimate.half)}"
            for effect in self.effects
            if effect.estimate is not None and effect.is_of(self.best_values or {})
        }

    @property
    def notes(self) -> list[str]:
        """What limits the result, as sentences."""
        if self.final is not None:
            return self.final.notes
        if self.combinations:
            return _describe_ties(self.combinations)
        if self.best is None or self.is_start_best:
            return []
        return ["The best of many trials is also the luckiest. Only the final comparison tells how good it is."]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        content = asdict(self)
        content["sentence"] = self.sentence
        content["notes"] = self.notes
        for effect, own in zip(self.effects, content["effects"], strict=True):
            own["verdict"] = effect.verdict
        if self.final is not None:
            content["final"]["is_better"] = self.final.is_better
        plain: dict[str, Any] = json.loads(json.dumps(content, default=str))
        return plain


def _describe_best(figure: str, combinations: Sequence[Combination]) -> str:
    best = combinations[0]
    if best.figure is None:
        return "no trial has finished"
    count = len(best.seeds)
    seeds = f" over {count} seeds" if count > 1 else ""
    level = f"{format_level(best.figure.value, best.figure.half)}{seeds}"
    return f"{figure}: {level}" if len(combinations) == 1 else f"best: {best.change}, {figure} {level}"


def _describe_ties(combinations: Sequence[Combination]) -> list[str]:
    """Return a sentence if other combinations are not distinguishable from the best one."""
    figures = [combination.figure for combination in combinations if combination.figure is not None]
    best, others = figures[:1], figures[1:]
    ties = [
        other for one in best for other in others if not abs(one.value - other.value) > math.hypot(one.half, other.half)
    ]
    if not ties:
        return []
    return [f"Not distinguishable from it: {len(ties)} of {len(others)} other combinations."]


def collect_results(folder: Path, config: SearchConfig, records: Sequence[TrialRecord]) -> Results:
    """Collect what is known of a study.

    Args:
        folder: The folder of the study.
        config: What is searched.
        records: The trials.
    """
    figure, space = config.figure, config.space
    judged = judge_trials(records)
    trials = [
        Trial(
            record.number,
            record.state,
            judged.get(record.number),
            space.describe(dict(record.values)),
            _relative(record.path, folder),
            record.reason,
            record.seed,
        )
        for record in records
    ]
    combinations = [] if config.trials is None else _combine(config, records)
    # The best of several seeds is not the seed with the best figure.
    candidates = {number for combination in combinations[:1] for number in combination.trials}
    best = find_best(
        [record for record in records if not candidates or record.number in candidates], lowest=figure.lowest
    )
    starts = [record.figure for record in records if record.state == "finished" and is_start(config, record)]
    is_sweep = config.trials is not None
    final = None if best is None or is_sweep else read_final_comparison(folder, config, best)
    counts = Counter(record.state for record in records)
    return Results(
        config.spec.name,
        figure.name,
        figure.lowest,
        {state: counts[state] for state in STATES if counts[state]},
        trials,
        starts[0] if starts else None,
        None if best is None else next(trial for trial in trials if trial.number == best.number),
        best is not None and is_start(config, best),
        None if best is None else best.values,
        [] if is_sweep else _estimate_effects(config, records, 0.0 if final is None else final.seed_noise),
        combinations,
        final,
    )


def write_results(folder: Path, results: Results) -> Path:
    """Write results.json, and return its path."""
    path = folder / "results.json"
    with sslreg.atomic_write(path) as draft:
        draft.write_text(json.dumps(results.to_dict(), indent=2) + "\n", encoding="utf-8")
    return path


def _relative(path: Path, folder: Path) -> str:
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:
        return path.as_posix()


def _estimate_effects(config: SearchConfig, records: Sequence[TrialRecord], seed_noise: float) -> list[Effect]:
    intervals = {record.number: _read_interval(record, config.figure.name) for record in records}
    space, lowest = config.space, config.figure.lowest
    return estimate_effects(
        records, space.parameters, space.starting, lowest=lowest, intervals=intervals, seed_noise=seed_noise
    )


def _combine(config: SearchConfig, records: Sequence[TrialRecord]) -> list[Combination]:
    """Return the combinations of values, the best first and those without a finished trial last."""
    groups: dict[str, list[TrialRecord]] = {}
    for record in records:
        groups.setdefault(json.dumps(dict(record.values), sort_keys=True, default=str), []).append(record)
    combinations = [_average(config, own) for own in groups.values()]
    sign = 1 if config.figure.lowest else -1
    return sorted(combinations, key=lambda one: (one.figure is None, one.figure and sign * one.figure.value))


def _average(config: SearchConfig, records: Sequence[TrialRecord]) -> Combination:
    finished = [record for record in records if record.state == "finished" and record.figure is not None]
    figures = [record.figure for record in finished if record.figure is not None]
    intervals = [_read_interval(record, config.figure.name) for record in finished]
    return Combination(
        config.space.describe(dict(records[0].values)),
        Interval.around(*sslreg.average_over_seeds(figures, intervals)) if figures else None,
        tuple(record.number for record in records),
        tuple(record.seed for record in finished),
    )


def _read_interval(record: TrialRecord, name: str) -> float:
    """Return half of the interval of a trial's figure over images; 0 if it is unknown."""
    try:
        half: float = sslreg.load_run(record.path).summary.get("final", {}).get(f"{name}_ci", 0.0)
    except sslreg.UserError:
        return 0.0
    return half
