"""The invariance profile: how far each augmentation moves an embedding."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sslreg.metric_names import INTERVAL, READBACK, distance_names, format_metric, invariances_of, parse_strength
from sslreg.registry import INVARIANCES, installed
from sslreg.report.reported_runs import SUBJECTS, ReportedRun
from sslreg.report.tables import INVARIANCE, Table
from sslreg.report.unavailable import Missing, attempt
from sslreg.runs.run_evaluation import evaluate_run

#: Invariance figures by subject (`SUBJECTS`), without the evaluator's name before them.
Figures = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Mark:
    """A figure on a line. value, low, high: where it and its interval's ends lie, as shares of the line."""

    label: str
    style: str
    value: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Measured:
    """An augmentation, or a group of them."""

    name: str
    marks: list[Mark]


@dataclass(frozen=True)
class Profile:
    """Augmentations by the invariance that they induce, a group's own mean first; and their figures by strength.

    one: where 1 lies on the lines, as a share of them; they are longer where a figure is above 1.
    """

    groups: list[tuple[str, list[Measured]]]
    one: float
    strengths: Table


def with_invariance(run: ReportedRun) -> Figures | Missing:
    """The run's invariance figures by subject: those that were evaluated before, or else measured now."""
    found = {subject: _own(figures) for subject, figures in run.figures.items()}
    if found["trained"]:
        return found
    if ("evaluator", INVARIANCE) not in {(info.kind, info.name) for info in installed()}:
        return Missing("no installed plugin provides the evaluator 'invariance'")
    return attempt(lambda: {name: _own(figures) for name, figures in evaluate_run(run.run, [INVARIANCE]).items()})


def _own(figures: Mapping[str, float]) -> dict[str, float]:
    start = f"{INVARIANCE}_"
    return {name.removeprefix(start): value for name, value in figures.items() if name.startswith(start)}


def profile(runs: Sequence[tuple[ReportedRun, Figures]]) -> Profile:
    """The profile of runs side by side, each before and after its training."""
    subjects = _subjects(runs)
    names = [name for subject in subjects for name in subject.figures]
    plain = distance_names(names)
    values = [subject.figures[name] for subject in subjects for name in plain if name in subject.figures]
    longest = max([1.0, *values])
    groups: dict[str, list[Measured]] = {group: [] for group in (*INVARIANCES, "other")}
    for name in sorted(plain, key=lambda name: (name not in INVARIANCES, name)):
        marks = [subject.mark(name, longest) for subject in subjects if name in subject.figures]
        for group in invariances_of(name) or ("other",):
            groups[group].append(Measured(name, marks))
    return Profile(
        [(group, members) for group, members in groups.items() if members],
        1.0 / longest,
        _strengths(plain, names, subjects),
    )


@dataclass(frozen=True)
class _Subject:
    label: str
    style: str
    figures: Mapping[str, float]

    def mark(self, name: str, longest: float) -> Mark:
        """longest: the figure at the line's end."""
        value, half = self.figures[name], self.figures.get(f"{name}{INTERVAL}", 0.0)
        at, low, high = (min(1.0, max(0.0, place / longest)) for place in (value, value - half, value + half))
        return Mark(self.label, self.style, at, low, high, format_metric(self.figures, name))


def _subjects(runs: Sequence[tuple[ReportedRun, Figures]]) -> list[_Subject]:
    """Each run's untrained backbone and, drawn over it, the trained one."""
    found = []
    for key, hollow in (("untrained", " hollow"), ("trained", "")):
        for run, figures in runs:
            if figures.get(key):
                label = f"{run.label}, {SUBJECTS[key]}" if len(runs) > 1 else SUBJECTS[key]
                found.append(_Subject(label, f"run-{run.number}{hollow}", figures[key]))
    return found


def _strengths(plain: Sequence[str], names: Collection[str], subjects: Sequence[_Subject]) -> Table:
    """A row for each augmentation and subject, a column for each strength and for what can be read back."""
    percents = sorted({percent for name in names if (percent := parse_strength(name)) is not None})
    endings = {f"{percent} %": f"_s{percent}" for percent in percents}
    if any(name.endswith(READBACK) for name in names):
        endings["readback"] = READBACK
    rows = []
    for name in plain:
        for subject in subjects:
            cells = [format_metric(subject.figures, f"{name}{ending}") for ending in endings.values()]
            if any(cells):
                rows.append((f"{name}, {subject.label}", cells))
    return Table([*endings], rows, [])
