"""The invariance profile: how far each augmentation moves an embedding."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sslreg.axis import ABOVE, Axis
from sslreg.metric_names import (
    INTERVAL,
    READBACK,
    distance_names,
    format_metric,
    initial_subject,
    invariances_of,
    parse_strength,
    title_subject,
)
from sslreg.registry import INVARIANCES, installed
from sslreg.report.reported_runs import ReportedRun, RunResults
from sslreg.report.tables import INVARIANCE, PageTable
from sslreg.report.unavailable import Unavailable, catch_unavailable
from sslreg.runs.run_evaluation import evaluate_run

#: The smallest share of a line that most metrics may take. Beyond it, metrics cannot be told apart.
_LEAST = 0.2

#: Invariance metrics by subject, without the evaluator's name before them.
SubjectMetrics = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Marker:
    """A metric on a line.

    Attributes:
        label: Whose metric it is.
        style: The CSS class of its color.
        value: Its position, as a share of the line.
        low, high: The positions of the ends of its interval, as shares of the line.
        text: The metric as text, with a mark if it is beyond the end of the line.
        is_beyond: Whether it is.
    """

    label: str
    style: str
    value: float
    low: float
    high: float
    text: str
    is_beyond: bool


@dataclass(frozen=True)
class ProfileLine:
    """An augmentation, or a group of augmentations, with the markers of all subjects."""

    name: str
    markers: list[Marker]


@dataclass(frozen=True)
class InvarianceProfile:
    """The profile of one or several runs.

    Attributes:
        groups: Augmentations by the invariance that they induce. The geometric mean of a group comes first.
        one: The position of 1, as a share of a line. It is below 1 if most metrics or a large one are above 1.
        strengths: The metrics by strength.
    """

    groups: list[tuple[str, list[ProfileLine]]]
    one: float
    strengths: PageTable

    @property
    def has_marks(self) -> bool:
        """Whether a metric is beyond the end of its line."""
        return any(marker.is_beyond for marker in self._markers())

    @property
    def has_initial(self) -> bool:
        """Whether it shows features before training, as hollow marks."""
        return any("hollow" in marker.style.split() for marker in self._markers())

    def _markers(self) -> Iterator[Marker]:
        return (marker for _, lines in self.groups for line in lines for marker in line.markers)


def invariance_metrics(run: ReportedRun) -> SubjectMetrics | Unavailable:
    """Return the run's invariance metrics by subject, and evaluate them now unless they were evaluated before."""
    metrics = _select_profile(run)
    if metrics["trained"]:
        return metrics
    if ("evaluator", INVARIANCE) not in {(info.kind, info.name) for info in installed()}:
        return Unavailable("no installed plugin provides the evaluator 'invariance'")
    return catch_unavailable(
        lambda: {subject: _select(own) for subject, own in evaluate_run(run.run, [INVARIANCE]).by_subject.items()}
    )


def profile_results(runs: Sequence[RunResults]) -> InvarianceProfile | None:
    """Return the profile of the runs whose invariances were evaluated, None if those of no run were."""
    evaluated = [(run, metrics) for run in runs if (metrics := _select_profile(run))["trained"]]
    return build_profile(list_subjects(evaluated)) if evaluated else None


def _select_profile(run: RunResults) -> dict[str, dict[str, float]]:
    return {subject: _select(own) for subject, own in run.metrics.items()}


def _select(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of the invariance evaluator, without its name."""
    start = f"{INVARIANCE}_"
    return {name.removeprefix(start): value for name, value in metrics.items() if name.startswith(start)}


@dataclass(frozen=True)
class ProfileSubject:
    """A backbone in an invariance profile.

    Attributes:
        label: Its name.
        style: The CSS classes of its color: ``run-0``, and ``hollow`` before training.
        metrics: Its invariance metrics, without the evaluator's name before them.
    """

    label: str
    style: str
    metrics: Mapping[str, float]

    def marker(self, name: str, axis: Axis) -> Marker:
        """Return the marker of a metric on a line."""
        value, half = self.metrics[name], self.metrics.get(f"{name}{INTERVAL}", 0.0)
        at, low, high = (axis.position(end) for end in (value, value - half, value + half))
        is_beyond = axis.mark(value) == ABOVE
        text = f"{ABOVE} " * is_beyond + format_metric(self.metrics, name)
        return Marker(self.label, self.style, at, low, high, text, is_beyond)


def build_profile(subjects: Sequence[ProfileSubject]) -> InvarianceProfile:
    """Build the profile of backbones side by side. The last is drawn over the others."""
    names = [name for subject in subjects for name in subject.metrics]
    shown = distance_names(names)
    values = [subject.metrics[name] for subject in subjects for name in shown if name in subject.metrics]
    axis = Axis(0.0, max(1.0, Axis.fit([0.0, 1.0, *values], _LEAST).high))
    groups: dict[str, list[ProfileLine]] = {group: [] for group in (*INVARIANCES, "other")}
    for name in sorted(shown, key=lambda name: (name not in INVARIANCES, name)):
        markers = [
            subject.marker(name, axis) for subject in subjects if not math.isnan(subject.metrics.get(name, math.nan))
        ]
        for group in invariances_of(name) or ("other",):
            groups[group].append(ProfileLine(name, markers))
    return InvarianceProfile(
        [(group, lines) for group, lines in groups.items() if lines],
        axis.position(1.0),
        _strengths_table(shown, names, subjects),
    )


def list_subjects(runs: Sequence[tuple[RunResults, SubjectMetrics]]) -> list[ProfileSubject]:
    """Return the backbones of all runs before training, then the trained ones, which are drawn over them."""
    subjects = []
    for is_trained, suffix in ((False, " hollow"), (True, "")):
        for run, metrics in runs:
            key = "trained" if is_trained else initial_subject(metrics)
            if metrics.get(key):
                label = f"{run.label}, {title_subject(key)}" if len(runs) > 1 else title_subject(key)
                subjects.append(ProfileSubject(label, f"run-{run.number}{suffix}", metrics[key]))
    return subjects


def _strengths_table(shown: Sequence[str], names: Collection[str], subjects: Sequence[ProfileSubject]) -> PageTable:
    """Return a row for each augmentation and subject, with a column for each strength and one for the readback."""
    percents = sorted({percent for name in names if (percent := parse_strength(name)) is not None})
    endings = {f"{percent} %": f"_s{percent}" for percent in percents}
    if any(name.endswith(READBACK) for name in names):
        endings["readback"] = READBACK
    rows = []
    for name in shown:
        for subject in subjects:
            cells = [format_metric(subject.metrics, f"{name}{ending}") for ending in endings.values()]
            if any(cells):
                rows.append((f"{name}, {subject.label}", cells))
    return PageTable([*endings], rows, [])
