"""The tables of a report: summaries, evaluations, differences between the specs, and versions."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sslreg.errors import UserError
from sslreg.metric_names import (
    INTERVAL,
    drop_intervals,
    format_expected,
    format_metric,
    format_value,
    order_subjects,
    title_subject,
)
from sslreg.report.reported_runs import RunResults
from sslreg.report.unavailable import Unavailable
from sslreg.runs.comparison import compare_subjects, describe_label_savings, name_seed_groups, tabulate_runs
from sslreg.runs.seed_groups import average_metric
from sslreg.spec.diff import ABSENT, find_changes

#: The metrics of this evaluator have a separate section.
INVARIANCE = "invariance"


@dataclass(frozen=True)
class PageTable:
    """A table of texts on a page.

    Attributes:
        columns: The titles of the columns.
        rows: The name and the cells of each row.
        groups: Titles of groups of columns, each with its number of columns.
    """

    columns: list[str]
    rows: list[tuple[str, list[str]]]
    groups: list[tuple[str, int]]


def summary_table(runs: Sequence[RunResults]) -> PageTable:
    """Return how each run ended and how fast it was."""
    rows = {
        "status": [run.record.state for run in runs],
        "epochs": [_format(run.record.values.get("epochs")) for run in runs],
        "steps": [_format(run.record.values.get("steps")) for run in runs],
        "last loss": [_format_decimal((run.record.values.get("final") or {}).get("loss")) for run in runs],
        "images per second": [_format(run.record.values.get("images_per_second")) for run in runs],
        "time spent waiting for data": [_format_percent(run.record.values.get("waiting_for_data")) for run in runs],
        "images that could not be read": [_format(run.record.values.get("skipped_samples")) for run in runs],
        "resumed at steps": [_format(run.record.values.get("resumed_at")) for run in runs],
        "expected by the spec": ["; ".join(format_expected(run.record.spec.get("expect") or {})) for run in runs],
        "problem with the folder": [run.record.problem or "" for run in runs],
    }
    return PageTable([run.label for run in runs], [(name, cells) for name, cells in rows.items() if any(cells)], [])


def evaluation_table(runs: Sequence[RunResults]) -> PageTable | Unavailable:
    """Return the metrics of the trained backbone of each run and of the baselines.

    Runs that differ in nothing but their seeds are averaged, as in a comparison.
    """
    names = drop_intervals(name for run in runs for name in run.metrics["trained"])
    shown = [name for name in names if not name.startswith(f"{INVARIANCE}_")]
    if not shown:
        return Unavailable("; ".join(dict.fromkeys(_explain_missing_evaluation(run) for run in runs)))
    named = name_seed_groups([run.record for run in runs], [run.label for run in runs])
    groups = {label: _average_metrics([runs[number].metrics for number in members]) for label, members in named}
    columns = _evaluation_columns(groups, shown)
    rows = [(name, [format_metric(own, name) or "–" for _, _, own in columns]) for name in shown]
    if len(runs) == 1:
        return PageTable([title_subject(subject) for subject, _, _ in columns], rows, [])
    counts = Counter(subject for subject, _, _ in columns)
    titles = [(title_subject(subject), count) for subject, count in counts.items()]
    return PageTable([label for _, label, _ in columns], rows, titles)


def _evaluation_columns(
    groups: Mapping[str, Mapping[str, Mapping[str, float]]], shown: Sequence[str]
) -> list[tuple[str, str, Mapping[str, float]]]:
    """Return the subject, the runs and the metrics of each column: the trained backbones first.

    A baseline has one column if it is the same for all runs that have it.

    Args:
        groups: The metrics by subject, of each run or of several seeds.
        shown: The names of the metrics.
    """
    columns: list[tuple[str, str, Mapping[str, float]]] = []
    subjects = order_subjects(subject for metrics in groups.values() for subject in metrics)
    for subject in [subjects[-1], *subjects[:-1]]:
        own = [(label, metrics[subject]) for label, metrics in groups.items() if subject in metrics]
        texts = {tuple(format_metric(metrics, name) for name in shown) for _, metrics in own}
        if subject != "trained" and len(own) == len(groups) and len(texts) == 1:
            columns.append((subject, "all", own[0][1]))
        else:
            columns += [(subject, label, metrics) for label, metrics in own]
    return columns


def _average_metrics(runs: Sequence[Mapping[str, Mapping[str, float]]]) -> Mapping[str, Mapping[str, float]]:
    """Return the means of the metrics that all runs have, with their intervals, by subject."""
    if len(runs) == 1:
        return runs[0]
    means: dict[str, dict[str, float]] = {}
    for subject in order_subjects(subject for run in runs for subject in run):
        metrics = [run.get(subject, {}) for run in runs]
        means[subject] = {}
        for name in drop_intervals(metrics[0]):
            average = average_metric(name, metrics) if all(name in own for own in metrics) else None
            if average is not None:
                means[subject] |= {name: average[0], f"{name}{INTERVAL}": average[1] or 0.0}
    return means


def comparison_table(runs: Sequence[RunResults]) -> tuple[PageTable | None, list[str]]:
    """Return a table of several runs and their baselines, and which differences are distinguishable, in sentences."""
    if len(runs) == 1:
        metrics = _without_profile(runs[0])
        sentences = [comparison.sentence for comparison in compare_subjects(metrics)]
        return None, [*sentences, *describe_label_savings(metrics)]
    try:
        content = tabulate_runs([run.record for run in runs], [run.label for run in runs])
    except UserError as error:
        return None, [f"The runs are not compared: {error.diagnostics[0].message}."]
    rows = []
    for row in content.rows:
        found = (row.metrics.get(metric) for metric in content.metrics)
        rows.append((row.name, ["" if one is None else format_value(one.value, one.interval) for one in found]))
    return PageTable(content.metrics, rows, []), [comparison.sentence for comparison in content.comparisons()]


def _without_profile(run: RunResults) -> dict[str, dict[str, float]]:
    """Return the metrics of a run by subject, without its invariance profile."""
    return {
        subject: {name: value for name, value in own.items() if not name.startswith(f"{INVARIANCE}_")}
        for subject, own in run.metrics.items()
    }


def _explain_missing_evaluation(run: RunResults) -> str:
    if run.record.spec.get("evaluate"):
        return f"{run.label} has no metrics: its status is {run.record.state}"
    if (evaluator := run.suggest_evaluator()) is None:
        return f"the data has no labels, so there is no evaluation ({run.label})"
    path = shlex.quote(str(run.record.path))
    return f"the spec of {run.label} names no evaluators; evaluate it with: sslreg evaluate {path} {evaluator}"


def differences_table(runs: Sequence[RunResults]) -> PageTable | Unavailable:
    """Return the values of the specs that differ from those of the first run."""
    if len(runs) == 1:
        return Unavailable("there is only one run")
    contents = [run.record.spec for run in runs]
    changed = [{change.path: change for change in find_changes(contents[0], other)} for other in contents[1:]]
    rows = []
    for path in dict.fromkeys(path for changes in changed for path in changes):
        before = next(changes[path].before for changes in changed if path in changes)
        cells = [changes[path].after if path in changes else before for changes in changed]
        rows.append((path, [_format_yaml(value) for value in (before, *cells)]))
    return PageTable([run.label for run in runs], rows, []) if rows else Unavailable("the specs are the same")


def versions_table(runs: Sequence[RunResults]) -> PageTable | Unavailable:
    """Return the versions of Python, torch and sslreg, and each component's distribution and version."""
    versions = [_read_versions(run.record.path / "lock.json") for run in runs]
    names = dict.fromkeys(name for own in versions for name in own)
    rows = [(name, [own.get(name, "") for own in versions]) for name in names]
    return PageTable([run.label for run in runs], rows, []) if rows else Unavailable("there is no readable lock.json")


def _read_versions(path: Any) -> dict[str, str]:
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
        components = {
            name: f"{component['distribution']} {component['version']}"
            for name, component in lock["components"].items()
        }
        return {name: str(lock[name]) for name in ("python", "torch", "sslreg")} | components
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _format(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)


def _format_decimal(value: Any) -> str:
    return format_value(value) if isinstance(value, int | float) else ""


def _format_percent(value: Any) -> str:
    return f"{value:.0%}" if isinstance(value, int | float) else ""


def _format_yaml(value: Any) -> str:
    return "" if value is ABSENT else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
