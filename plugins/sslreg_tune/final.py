"""The final comparison of the winner with the starting spec: fresh seeds, and images that judged no trial."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

import sslreg
from sslreg_tune.effects import Interval
from sslreg_tune.figure import RECORDED, Figure
from sslreg_tune.number_format import count_digits, format_level
from sslreg_tune.parameters import Values
from sslreg_tune.search_config import ONE_DEVICE, SearchConfig
from sslreg_tune.trial_record import TrialRecord

#: The number of fresh seeds.
SEEDS = 3

#: The evaluator whose profile of the winner is shown next to that of the starting spec.
INVARIANCE = "invariance"

#: Ends the names of intervals.
_INTERVAL = "_ci"


@dataclass(frozen=True)
class FinalComparison:
    """The winner next to the starting spec, both trained with the same fresh seeds.

    Intervals cover the seeds, by Student's t, and the test images. That of the difference is of the differences of runs
    with the same seed. It counts the intervals over images of both, as if their errors did not coincide, so it is
    cautious.

    Attributes:
        figure: The name of the figure.
        lowest: Whether a low figure is good.
        is_unseen: Whether the figure is of images that no trial was judged on. Otherwise it flatters the winner, which
            was chosen on them: a spec without ``data.test``, or a figure of the training such as the loss.
        seeds: The fresh seeds.
        start, best: The figure of the starting spec and of the winner.
        difference: The figure of the winner minus that of the starting spec.
        earlier: How many other winners were judged on these images before.
        profiles: The invariance metrics of both, ``start`` and ``best``, without the evaluator's name before them;
            empty without that evaluator.
        seed_noise: Half of the 95 % interval over seeds of the difference of two runs, by Student's t from the standard
            deviation over the seeds of both specs; 0 if there is one seed.
    """

    figure: str
    lowest: bool
    is_unseen: bool
    seeds: tuple[int, ...]
    start: Interval
    best: Interval
    difference: Interval
    earlier: int
    profiles: Mapping[str, Mapping[str, float]]
    seed_noise: float = 0.0

    @property
    def is_better(self) -> bool:
        """Whether the winner is distinguishably better."""
        return self.difference.excludes_zero and (self.difference.value > 0) != self.lowest

    @property
    def sentence(self) -> str:
        """The result in a sentence, such as ``few_shot_1: 0.71 ± .02 → 0.78 ± .02``."""
        digits = min(count_digits(each.value, each.half) for each in (self.start, self.best))
        values = " → ".join(format_level(each.value, each.half, digits) for each in (self.start, self.best))
        if self.is_better:
            return f"{self.figure}: {values}"
        return f"{self.figure}: {'worse' if self.difference.excludes_zero else 'no better'} than before ({values})"

    @property
    def notes(self) -> list[str]:
        """What limits the result, as sentences."""
        notes = []
        if not self.is_unseen:
            notes.append(
                "Both were measured on the data on which the winner was chosen, which flatters it. Only the seeds are "
                "new."
            )
        if self.earlier:
            what = "1 earlier winner" if self.earlier == 1 else f"{self.earlier} earlier winners"
            notes.append(f"These images have judged {what} as well, so they are no longer quite unseen.")
        return notes


def train_finalists(
    folder: Path, config: SearchConfig, best: TrialRecord, *, seeds: int = SEEDS, console: Console | None = None
) -> None:
    """Train the starting spec and the winner with fresh seeds, as far as that was not done before.

    The runs are in ``final/start-1``, …, and ``final/trial-0012-1``, … for trial 12. Runs that were interrupted resume.
    If the starting spec has won, nothing is trained. A spec without ``data.test`` is judged on the images that judged
    the trials.

    Args:
        folder: The folder of the study.
        config: What was searched.
        best: The winner.
        seeds: The number of seeds: the first ones after that of the spec.
        console: Where progress is shown; by default standard error.

    Raises:
        SslregError: A training failed.
    """
    if is_start(config, best):
        return
    for number in range(1, seeds + 1):
        for path, values in _list_finalists(folder, best, number):
            sslreg.train_or_resume(build_final_spec(config, values, config.spec.seed + number), path, console=console)


def read_final_comparison(folder: Path, config: SearchConfig, best: TrialRecord) -> FinalComparison | None:
    """Read the final comparison of the winner from the runs that have finished; None if no seed has."""
    pairs: list[tuple[sslreg.Run, sslreg.Run]] = []
    while (pair := _read_pair(folder, best, len(pairs) + 1)) is not None:
        pairs.append(pair)
    if not pairs:
        return None
    start, winner = ([pair[side] for pair in pairs] for side in (0, 1))
    read = partial(_read_figure, config.figure)
    numbers = {int(match[1]) for path in (folder / "final").iterdir() if (match := _TRIAL.match(path.name))}
    return FinalComparison(
        config.figure.name,
        config.figure.lowest,
        _has_unseen_images(config) and config.figure.name not in RECORDED,
        tuple(run.spec.seed for run in start),
        _average(map(read, start)),
        _average(map(read, winner)),
        _average(_subtract(read(after), read(before)) for before, after in pairs),
        len(numbers - {best.number}),
        _average_profiles({"start": start, "best": winner}),
        _estimate_seed_noise([[read(run)[0] for run in runs] for runs in (start, winner)]),
    )


def is_start(config: SearchConfig, trial: TrialRecord) -> bool:
    """Return whether a trial has the values of the starting spec."""
    return config.space.starting is not None and dict(trial.values) == config.space.starting


#: The names of the folders of the winner's runs.
_TRIAL = re.compile(r"trial-(\d+)-\d+$")


def _list_finalists(folder: Path, best: TrialRecord, number: int) -> list[tuple[Path, Values | None]]:
    """Return the folders of the two runs of a seed with their values; None for the starting spec."""
    final = folder / "final"
    return [(final / f"start-{number}", None), (final / f"trial-{best.number:04}-{number}", dict(best.values))]


def build_final_spec(config: SearchConfig, values: Values | None, seed: int) -> sslreg.Spec:
    """Return the spec of a final run: judged on ``data.test``, with the evaluator of the invariance profile."""
    overrides = [*config.overrides, *config.figure.overrides, *ONE_DEVICE, f"seed={seed}"]
    if _has_unseen_images(config):
        overrides.append("data.validation=null")
    elif config.validation is not None:
        overrides.append(f"data.validation={config.validation}")
    if values is not None:
        overrides += config.space.overrides(values)
    spec = sslreg.load_spec(config.source, overrides)
    has_profile = any(component.info.name == INVARIANCE for component in spec.evaluate)
    if has_profile or not any(info.name == INVARIANCE for info in sslreg.installed().of_kind("evaluator")):
        return spec
    entries = [*spec.to_dict().get("evaluate", []), {"use": INVARIANCE}]
    return sslreg.load_spec(config.source, [*overrides, f"evaluate={json.dumps(entries)}"])


def _has_unseen_images(config: SearchConfig) -> bool:
    """Return whether the spec has a test set that did not judge the trials."""
    data = config.spec.data
    judged_on_test = config.validation is None and data.validation is None
    return data.find_whole("test") is not None and not judged_on_test


def _read_pair(folder: Path, best: TrialRecord, number: int) -> tuple[sslreg.Run, sslreg.Run] | None:
    """Return the two runs of a seed; None unless both have finished."""
    runs = []
    for path, _ in _list_finalists(folder, best, number):
        try:
            run = sslreg.load_run(path)
            if run.summary["status"] != "finished":
                return None
        except sslreg.UserError:
            return None
        runs.append(run)
    return runs[0], runs[1]


def _read_figure(figure: Figure, run: sslreg.Run) -> tuple[float, float]:
    """Return the figure of a run, and half of its interval over images; 0 if it has none."""
    return figure.read(run), run.summary["final"].get(f"{figure.name}{_INTERVAL}", 0.0)


def _estimate_seed_noise(figures: Sequence[Sequence[float]]) -> float:
    """Return half of the 95 % interval over seeds of the difference of two runs, from figures of several specs."""
    from scipy.stats import t

    freedom = sum(len(own) - 1 for own in figures)
    if not freedom:
        return 0.0
    variance = sum(statistics.variance(own) * (len(own) - 1) for own in figures) / freedom
    return float(t.ppf(0.975, freedom)) * math.sqrt(2 * variance)


def _subtract(after: tuple[float, float], before: tuple[float, float]) -> tuple[float, float]:
    return after[0] - before[0], math.hypot(after[1], before[1])


def _average(figures: Iterator[tuple[float, float]]) -> Interval:
    values, intervals = zip(*figures, strict=True)
    return Interval.around(*sslreg.average_over_seeds(values, intervals))


def _average_profiles(runs: Mapping[str, Sequence[sslreg.Run]]) -> dict[str, dict[str, float]]:
    """Return the mean invariance metrics of each subject; empty if a run lacks them."""
    profiles = {subject: [_read_profile(run) for run in own] for subject, own in runs.items()}
    if not all(profile for own in profiles.values() for profile in own):
        return {}
    return {subject: _average_metrics(own) for subject, own in profiles.items()}


def _read_profile(run: sslreg.Run) -> dict[str, float]:
    """Return the invariance metrics of a run without the evaluator's name."""
    names = [component.keys["as"] for component in run.spec.evaluate if component.info.name == INVARIANCE]
    start = f"{next(filter(None, names), INVARIANCE)}_"
    final: Mapping[str, Any] = run.summary["final"]
    return {name.removeprefix(start): value for name, value in final.items() if name.startswith(start)}


def _average_metrics(profiles: Sequence[Mapping[str, float]]) -> dict[str, float]:
    averages = {}
    for name in profiles[0]:
        if not name.endswith(_INTERVAL) and all(name in profile for profile in profiles):
            values = [profile[name] for profile in profiles]
            intervals = [profile.get(f"{name}{_INTERVAL}", 0.0) for profile in profiles]
            averages[name], averages[f"{name}{_INTERVAL}"] = sslreg.average_over_seeds(values, intervals)
    return averages
