"""Compares metrics of runs and baselines, and says which differences are distinguishable. Imports no torch.

Two metrics are distinguishable if they differ by more than the square root of the sum of their squared intervals. All
subjects are tested on the same images, on which errors mostly coincide, so this is cautious: a difference that is not
distinguishable may still be real.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sslreg.errors import UserError
from sslreg.metric_names import (
    INTERVAL,
    drop_intervals,
    format_count,
    format_metric,
    format_value,
    initial_subject,
    order_subjects,
    parse_label_counts,
    title_subject,
)
from sslreg.registry import installed
from sslreg.runs.records import RunRecord
from sslreg.runs.seed_groups import average_over_seeds, group_by_seed

#: The smallest number of runs that differ in nothing but their seeds for which their spread is an interval.
MIN_SEEDS = 3


@dataclass(frozen=True)
class Estimate:
    """A metric of a subject.

    Attributes:
        name: the subject, as a sentence names it.
        value: the metric.
        interval: half the width of its 95 % confidence interval.
    """

    name: str
    value: float
    interval: float

    def __str__(self) -> str:
        return f"{self.name} ({format_value(self.value, self.interval)})"


@dataclass(frozen=True)
class Comparison:
    """A metric of a subject, compared with that of others.

    Attributes:
        metric: the name of the metric.
        reached: the metric of the subject.
        better_than, worse_than: the others from which it is distinguishable.
        similar_to: the others from which it is not.
    """

    metric: str
    reached: Estimate
    better_than: list[Estimate]
    worse_than: list[Estimate]
    similar_to: list[Estimate]

    @property
    def sentence(self) -> str:
        """The comparison as a sentence."""
        low, high = self.reached.value - self.reached.interval, self.reached.value + self.reached.interval
        parts = (
            ("better than", self.better_than),
            ("worse than", self.worse_than),
            ("not distinguishable from", self.similar_to),
        )
        phrases = [f"{phrase} {join_phrases(list(map(str, others)))}" for phrase, others in parts if others]
        return (
            f"{self.metric}: {self.reached.name} reached {format_value(self.reached.value)} "
            f"({format_value(low)}–{format_value(high)}); that is {join_phrases(phrases)}."
        )

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {
            "metric": self.metric,
            "reached": self.reached.name,
            "better_than": [other.name for other in self.better_than],
            "worse_than": [other.name for other in self.worse_than],
            "not_distinguishable_from": [other.name for other in self.similar_to],
            "sentence": self.sentence,
        }


def join_phrases(phrases: Sequence[str]) -> str:
    """Join phrases: ``A``, ``A and B``, ``A, B and C``; with a comma before ``and`` if a phrase contains either."""
    if len(phrases) < 2:
        return "".join(phrases)
    is_long = len(phrases) > 2 or any(" and " in phrase or ", " in phrase for phrase in phrases)
    return f"{', '.join(phrases[:-1])}{',' * is_long} and {phrases[-1]}"


def compare(metric: str, reached: Estimate, others: Iterable[Estimate]) -> Comparison | None:
    """Compare a metric of a subject with that of others; None without others."""
    better: list[Estimate] = []
    worse: list[Estimate] = []
    similar: list[Estimate] = []
    for other in others:
        difference = reached.value - other.value
        if not abs(difference) > math.hypot(reached.interval, other.interval):
            similar.append(other)
        else:
            (better if difference > 0 else worse).append(other)
    return Comparison(metric, reached, better, worse, similar) if better or worse or similar else None


def compare_subjects(metrics: Mapping[str, Mapping[str, float]]) -> list[Comparison]:
    """Compare the trained backbone with the baselines, by the main metric of each evaluator.

    Args:
        metrics: the metrics by subject.
    """
    comparisons = []
    for name in select_main_metrics(metrics.get("trained", {})):
        others = [
            Estimate(_PHRASES.get(subject, subject), metrics[subject][name], metrics[subject][f"{name}{INTERVAL}"])
            for subject in reversed(order_subjects(metrics))
            if subject != "trained" and {name, f"{name}{INTERVAL}"} <= metrics[subject].keys()
        ]
        trained = metrics["trained"]
        comparisons.append(compare(name, Estimate("training", trained[name], trained[f"{name}{INTERVAL}"]), others))
    return [comparison for comparison in comparisons if comparison is not None]


#: The subjects in sentences.
_PHRASES = {
    "raw_pixels": "raw pixels",
    "untrained": "the untrained backbone",
    "starting": "the starting weights",
}


def select_main_metrics(metrics: Mapping[str, float]) -> list[str]:
    """Return the first metric with an interval of each evaluator.

    Metrics by the number of labels count only if there are no others, and then that of all labels does: they repeat
    those of a linear classifier.
    """
    names = {info.name for info in installed().of_kind("evaluator")}
    curves = parse_label_counts(metrics)
    last = [f"{prefix}_all" for prefix in curves]
    by_labels = {name for counts in curves.values() for name in counts.values()} | {*last}
    main: dict[str, str] = {}
    for name in drop_intervals(metrics):
        if f"{name}{INTERVAL}" in metrics and name not in by_labels:
            owner = max((own for own in names if name.startswith(f"{own}_")), key=len, default=name.rpartition("_")[0])
            main.setdefault(owner, name)
    return [*main.values()] or [name for name in last if f"{name}{INTERVAL}" in metrics]


def describe_label_savings(metrics: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return for each curve by the number of labels how few labels training needs to reach its start with all labels.

    Args:
        metrics: the metrics by subject.
    """
    trained, start = metrics.get("trained", {}), initial_subject(metrics)
    before = metrics.get(start, {})
    sentences = []
    for prefix, counts in parse_label_counts(trained).items():
        last = f"{prefix}_all"
        enough = (count for count, name in counts.items() if trained[name] >= before.get(last, math.inf))
        if (count := next(enough, None)) is not None:
            sentences.append(
                f"{prefix}: with {format_count(count, 'label')} per class, training reaches "
                f"{format_metric(trained, counts[count])}; {_PHRASES[start]} "
                f"{'need' if start == 'starting' else 'needs'} all labels for {format_metric(before, last)}."
            )
    return sentences


@dataclass(frozen=True)
class ComparedRow:
    """A row of a table of runs and baselines.

    Attributes:
        name: the run, several runs that differ in nothing but their seeds, or the baseline.
        runs: the folders of the runs; empty for a baseline.
        metrics: the metrics, with intervals.
    """

    name: str
    runs: list[str]
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True)
class RunTable:
    """A table of runs and baselines.

    Attributes:
        metrics: the names of the metrics.
        rows: the baselines, then the runs.
    """

    metrics: list[str]
    rows: list[ComparedRow]

    def comparisons(self) -> list[Comparison]:
        """Compare for each metric the best run with all other rows."""
        results = []
        for metric in self.metrics:
            rows = [row for row in self.rows if metric in row.metrics]
            runs = [row.metrics[metric] for row in rows if row.runs]
            if not runs:
                continue
            best = max(runs, key=lambda estimate: estimate.value)
            others = [row.metrics[metric] for row in reversed(rows) if row.metrics[metric] is not best]
            results.append(compare(metric, best, others))
        return [result for result in results if result is not None]

    def as_json(self) -> dict[str, Any]:
        """Return the table and the comparisons as plain data."""
        rows = [
            {
                "name": row.name,
                "runs": row.runs,
                "metrics": {
                    name: {"value": estimate.value, "interval": estimate.interval}
                    for name, estimate in row.metrics.items()
                },
            }
            for row in self.rows
        ]
        return {"rows": rows, "comparisons": [comparison.as_json() for comparison in self.comparisons()]}


def tabulate_runs(runs: Sequence[RunRecord], labels: Sequence[str]) -> RunTable:
    """Make a table of runs and their baselines.

    Of runs that differ in nothing but their seeds, if there are at least `MIN_SEEDS`, a row has the mean. Its interval
    covers both the seeds, by Student's t, and the test images. Other runs have a row each.

    Args:
        runs: the runs.
        labels: their names.

    Raises:
        UserError: the runs were tested on different data, or none has a metric with an interval.
    """
    _require_same_data(runs, labels)
    groups = name_seed_groups(runs, labels)
    metrics = [run.metrics_by_subject() for run in runs]
    names = list(dict.fromkeys(name for own in metrics for name in select_main_metrics(own["trained"])))
    if not names:
        raise UserError(
            "the runs have no metrics with intervals",
            hint="evaluate them, for example: sslreg evaluate RUN knn",
            code="no-evaluators",
        )
    baselines: dict[str, list[tuple[str, dict[str, Estimate]]]] = {}
    rows = []
    for label, members in groups:
        subjects = order_subjects(subject for index in members for subject in metrics[index])
        for subject in subjects:
            is_run = subject == "trained"
            own = [metrics[index].get(subject, {}) for index in members]
            phrase = label if is_run else _PHRASES.get(subject, subject)
            estimates = {name: found for name in names if (found := _average(phrase, name, own)) is not None}
            if is_run:
                rows.append(ComparedRow(label, [str(runs[index].path) for index in members], estimates))
            elif estimates:
                baselines.setdefault(subject, []).append((label, estimates))
    return RunTable(names, [*_merge_baselines(baselines), *rows])


def _merge_baselines(baselines: Mapping[str, Sequence[tuple[str, dict[str, Estimate]]]]) -> list[ComparedRow]:
    """Return a row for each baseline; if it differs between runs, a row for each of these runs."""
    rows = []
    for subject in order_subjects(baselines):
        first = baselines[subject][0][1]
        if all(estimates == first for _, estimates in baselines[subject]):
            rows.append(ComparedRow(title_subject(subject), [], first))
            continue
        for label, estimates in baselines[subject]:
            named = {
                name: Estimate(f"{estimate.name} of {label}", estimate.value, estimate.interval)
                for name, estimate in estimates.items()
            }
            rows.append(ComparedRow(f"{title_subject(subject)} of {label}", [], named))
    return rows


def _average(name: str, metric: str, runs: Sequence[Mapping[str, float]]) -> Estimate | None:
    """Return the mean of a metric over runs; None if a run lacks the metric or its interval."""
    if not all({metric, f"{metric}{INTERVAL}"} <= own.keys() for own in runs):
        return None
    return Estimate(
        name, *average_over_seeds([own[metric] for own in runs], [own[f"{metric}{INTERVAL}"] for own in runs])
    )


def name_seed_groups(runs: Sequence[RunRecord], labels: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Return the numbers of runs that differ in nothing but their seeds, with a name.

    Runs are alone if they are fewer than `MIN_SEEDS`.
    """
    named: list[tuple[str, list[int]]] = []
    for members in group_by_seed(runs):
        if len(members) >= MIN_SEEDS:
            named.append((f"{labels[members[0]]} and {len(members) - 1} other seeds", members))
        else:
            named += [(labels[number], [number]) for number in members]
    return named


def _require_same_data(runs: Sequence[RunRecord], labels: Sequence[str]) -> None:
    first = _describe_test_data(runs[0])
    for run, label in zip(runs, labels, strict=True):
        if _describe_test_data(run) != first:
            raise UserError(
                f"{label} was tested on other data than {labels[0]}, so their metrics cannot be compared",
                hint="evaluate both on the same data: sslreg evaluate RUN --data SPEC",
                code="data-differ",
            )


def _describe_test_data(run: RunRecord) -> Any:
    data = run.values.get("data") or {}
    split, share = data.get("split") or {}, data.get("validation")
    if share is not None:
        return [data.get("reference"), split, data.get("train"), share]
    return [data.get("test"), split, data.get("train") if split.get("test") else None]
