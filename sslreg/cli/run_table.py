"""The table of ``sslreg runs list``: runs, or groups of runs that differ in nothing but their seeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from sslreg.cli.console import stdout
from sslreg.escaping import escape_text
from sslreg.metric_names import INTERVAL, drop_intervals, format_count, format_value

if TYPE_CHECKING:
    from sslreg.runs.records import RunRecord

#: The number of figures that the list shows by default; --columns selects others.
FIGURES_SHOWN = 4

#: The largest number of values that differ between the specs for which the list shows them by default.
VALUES_SHOWN = 6

COLORS = {"running": "cyan", "interrupted": "yellow", "failed": "red", "dead": "red", "broken": "red"}


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

    def format_count(self) -> str:
        """Return the number of runs, and how many of them are not finished."""
        unfinished = sum(run.state != "finished" for run in self.runs)
        return f"{len(self.runs)}{f' ({unfinished} unfinished)' if unfinished else ''}"


def choose_columns(runs: Sequence[RunRecord], *, group: bool) -> list[str]:
    """Return the default columns, of runs or of groups of them.

    These are the start and the epochs of a run, the values in which the specs differ, the figures of the latest run
    that has some, and the first figure of the starting weights if a run started from weights.
    """
    from sslreg.runs.seed_groups import SEED, find_varying_values

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


def print_runs(runs: Sequence[RunRecord], shown: Sequence[str]) -> None:
    """Print a row for each run."""
    rows = [["run", "state", *_title(shown)]]
    for run in runs:
        values = [
            format_cell(path, value, run.value(f"{path}{INTERVAL}")) for path, value in read_columns(run, shown).items()
        ]
        rows.append([str(run.path), run.state, *values])
    print_columns(rows, headed=True)


def list_groups(runs: Sequence[RunRecord], shown: Sequence[str], sort: str | None = None) -> list[GroupRow]:
    """Return a row for each group of runs that differ in nothing but their seeds.

    Args:
        runs: The runs.
        shown: The paths of the values to show.
        sort: The path of one of them by which rows are sorted if it is a figure, the largest mean first.
    """
    from sslreg.runs.seed_groups import group_by_seed

    groups = ([runs[number] for number in members] for members in group_by_seed(runs))
    rows = [_average_columns(sorted(own, key=lambda run: (run.started, str(run.path))), shown) for own in groups]
    for path in {sort, f"final.{sort}"} & set(shown):
        if any(path in row.averages for row in rows):
            rows.sort(key=lambda row: -row.averages[path][0] if path in row.averages else float("inf"))
    return rows


def _average_columns(runs: list[RunRecord], shown: Sequence[str]) -> GroupRow:
    from sslreg.runs.seed_groups import average_metric

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


def print_groups(rows: Sequence[GroupRow], shown: Sequence[str]) -> None:
    """Print a row for each group, with the first of its runs."""
    table = [["runs", "number", *_title(shown)]]
    for row in rows:
        cells = [
            format_value(*row.averages[path]) if path in row.averages else format_cell(path, row.values[path])
            for path in shown
        ]
        others = f" and {format_count(len(row.runs) - 1, 'other seed')}" if len(row.runs) > 1 else ""
        table.append([f"{row.runs[0].path}{others}", row.format_count(), *cells])
    print_columns(table, headed=True)


def _title(shown: Sequence[str]) -> list[str]:
    return [path.removeprefix("final.") for path in shown]


def print_columns(rows: Sequence[Sequence[str]], *, headed: bool = False) -> None:
    """Print columns without a frame and without truncation, so that paths can be copied. The second is the state."""
    rows = [[escape_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        styles = ["bold" if headed and number == 0 else ""] * len(cells)
        if row[1] in COLORS:
            styles[1] = COLORS[row[1]]
        line = Text("  ").join(Text(cell, style) for cell, style in zip(cells, styles, strict=True))
        line.rstrip()
        stdout.print(line)


def read_columns(run: RunRecord, paths: Sequence[str]) -> dict[str, Any]:
    """Return the values of a run at some paths, None where it has none."""
    from sslreg.runs.records import MISSING, to_scalar

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
