"""Lists of runs: in which order, and which of their values are shown. Imports no torch.

`sslreg runs list` prints a list, and pages show one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sslreg.metric_names import INTERVAL, drop_intervals, format_value
from sslreg.runs.queries import require_path, sort_runs
from sslreg.runs.records import MISSING, RunRecord, to_scalar
from sslreg.runs.seed_groups import SEED, average_metric, find_varying_values, group_by_seed

#: The number of figures that a list shows by default.
FIGURES_SHOWN = 4

#: The largest number of values that differ between the specs for which a list shows them by default.
VALUES_SHOWN = 6


@dataclass(frozen=True)
class GroupRow:
    """A row about runs that differ in nothing but their seeds.

    Attributes:
        runs: The runs.
        averages: The mean and the interval of each figure that is shown and at least one run has.
        values: The other values that are shown; None if the runs have none or different ones.
    """

    runs: list[RunRecord]
    averages: dict[str, tuple[float, float | None]]
    values: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return {
            "runs": [str(run.path) for run in self.runs],
            "columns": {
                **self.values,
                **{path: {"mean": mean, "interval": interval} for path, (mean, interval) in self.averages.items()},
            },
        }

    def format_cells(self, columns: Sequence[str]) -> list[str]:
        """Return the values at some paths as text: means with their intervals, or the value that all runs have."""
        return [
            format_value(*self.averages[path]) if path in self.averages else format_cell(path, self.values[path])
            for path in columns
        ]


@dataclass(frozen=True)
class RunRow:
    """A row of a list.

    Attributes:
        runs: The run, or the runs of a group.
        cells: The texts of the columns that are shown.
    """

    runs: list[RunRecord]
    cells: list[str]

    def format_count(self) -> str:
        """Return the number of runs, and how many of them are not finished."""
        unfinished = sum(run.state != "finished" for run in self.runs)
        return f"{len(self.runs)}{f' ({unfinished} unfinished)' if unfinished else ''}"


@dataclass(frozen=True)
class RunListing:
    """Runs, and which of their values are shown.

    Attributes:
        runs: The runs, sorted.
        columns: The paths of the values that are shown.
        groups: The runs in groups that differ in nothing but their seeds; None if they are not grouped.
    """

    runs: list[RunRecord]
    columns: list[str]
    groups: list[GroupRow] | None

    @property
    def titles(self) -> list[str]:
        """The titles of the columns."""
        return [path.removeprefix("final.") for path in self.columns]

    def rows(self) -> list[RunRow]:
        """Return a row of texts for each run, or for each group."""
        if self.groups is not None:
            return [RunRow(row.runs, row.format_cells(self.columns)) for row in self.groups]
        return [RunRow([run], _format_cells(run, self.columns)) for run in self.runs]


def list_runs(
    runs: Sequence[RunRecord],
    sort: str | None = None,
    columns: Sequence[str] = (),
    group: bool = False,
) -> RunListing:
    """List runs.

    Args:
        runs: The runs, oldest first.
        sort: The path of a value by which the runs are sorted, the largest first.
        columns: The paths of the values to show; by default those in which the runs differ, and the first figures.
        group: Whether to list groups of runs that differ in nothing but their seeds.

    Raises:
        UserError: No run has a value at a path.
    """
    runs = list(runs) if sort is None else sort_runs(runs, sort, descending=True)
    for path in columns:
        require_path(runs, path)
    shown = [*columns] or choose_columns(runs, group=group)
    if sort is not None and not {sort, f"final.{sort}"} & set(shown):
        shown.append(sort)
    return RunListing(runs, shown, list_groups(runs, shown, sort) if group else None)


def _format_cells(run: RunRecord, columns: Sequence[str]) -> list[str]:
    values = read_columns(run, columns)
    return [format_cell(path, value, run.value(f"{path}{INTERVAL}")) for path, value in values.items()]


def choose_columns(runs: Sequence[RunRecord], *, group: bool) -> list[str]:
    """Return the default columns, of runs or of groups of them.

    These are the start and the epochs of a run, the values in which the specs differ, the figures of the latest run
    that has some, and the first figure of the starting weights if a run started from weights.
    """
    varying = find_varying_values(runs)
    if group:
        varying = [path for path in varying if path != SEED]
    finals = [final for run in runs if isinstance(final := run.values.get("final"), dict) and final]
    figures = drop_intervals(finals[-1] if finals else ())
    shown = [f"final.{name}" for name in figures[:FIGURES_SHOWN]]
    starting = [f"baseline.starting.{name}" for name in figures[:1]]
    if not any(_is_known(run, path) for run in runs for path in starting):
        starting = []
    first = [] if group else ["started", "epochs"]
    return [*first, *(varying if len(varying) <= VALUES_SHOWN else ()), *shown, *starting]


def list_groups(runs: Sequence[RunRecord], shown: Sequence[str], sort: str | None = None) -> list[GroupRow]:
    """Return a row for each group of runs that differ in nothing but their seeds.

    Args:
        runs: The runs.
        shown: The paths of the values to show.
        sort: The path of one of them by which rows are sorted if it is a figure, the largest mean first.
    """
    groups = ([runs[number] for number in members] for members in group_by_seed(runs))
    rows = [_average_columns(sorted(own, key=lambda run: (run.started, str(run.path))), shown) for own in groups]
    for path in {sort, f"final.{sort}"} & set(shown):
        if any(path in row.averages for row in rows):
            rows.sort(key=lambda row: -row.averages[path][0] if path in row.averages else float("inf"))
    return rows


def _average_columns(runs: list[RunRecord], shown: Sequence[str]) -> GroupRow:
    averages: dict[str, tuple[float, float | None]] = {}
    values: dict[str, Any] = {}
    for path in shown:
        names = (path, f"{path}{INTERVAL}")
        known = [_drop_missing(read_columns(run, names)) for run in runs]
        if _is_figure(runs, path) and (average := average_metric(path, known)) is not None:
            averages[path] = average
        else:
            different = {json.dumps(own.get(path), default=str): own.get(path) for own in known}
            values[path] = next(iter(different.values())) if len(different) == 1 else None
    return GroupRow(runs, averages, values)


def _drop_missing(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _is_figure(runs: Sequence[RunRecord], path: str) -> bool:
    """Return whether a path names a result, which differs between seeds, and no value of the spec."""
    name = path.removeprefix("final.")
    return path.startswith("baseline.") or any(name in run.figures() for run in runs)


def read_columns(run: RunRecord, paths: Sequence[str]) -> dict[str, Any]:
    """Return the values of a run at some paths, None where it has none."""
    values = ((path, to_scalar(run.value(path))) for path in paths)
    return {path: None if value is MISSING else value for path, value in values}


def _is_known(run: RunRecord, path: str) -> bool:
    return read_columns(run, [path])[path] is not None


def format_cell(path: str, value: Any, interval: Any = None) -> str:
    """Format a value for people.

    Args:
        path: The path of the value.
        value: The value.
        interval: The half-width of the confidence interval of a figure that has one.
    """
    if value is None:
        return ""
    if path == "started":
        return datetime.fromtimestamp(value).astimezone().isoformat(" ", "minutes")[:16]
    if isinstance(value, float):
        return format_value(value, interval) if isinstance(interval, float) else f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)
