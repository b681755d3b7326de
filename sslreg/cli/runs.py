"""sslreg runs"""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from sslreg.cli.compare import compare
from sslreg.cli.console import print_json, print_path, stderr, stdout
from sslreg.cli.options import Json
from sslreg.errors import UserError
from sslreg.escaping import escape_text
from sslreg.metric_names import INTERVAL, drop_intervals, format_value

if TYPE_CHECKING:
    from sslreg.runs.records import RunRecord

#: The number of figures that the list shows by default; --columns selects others.
FIGURES_SHOWN = 4

COLORS = {"running": "cyan", "interrupted": "yellow", "failed": "red", "dead": "red", "broken": "red"}

app = typer.Typer(name="runs", help="Find runs by their specs and results.", no_args_is_help=True)

Root = Annotated[Path, typer.Argument(metavar="ROOT", help="The folder that contains the runs.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="PATH=VALUE",
        help="Only runs with this value in their spec or summary; also != < <= > >=. May be repeated.",
    ),
]


@app.command("list")
def list_(
    root: Root = Path("runs"),
    where: Where = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="PATH", help="Sort by this value, the largest first.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="PATH,PATH", help="Show these values, not the default ones."),
    ] = None,
    json: Json = False,
) -> None:
    """List runs, oldest first.

    For example: sslreg runs list --where model.use=simclr --sort knn_top1
    """
    from sslreg.runs.queries import require_path, sort_runs

    runs = _select_runs(root, where)
    if sort is not None:
        runs = sort_runs(runs, sort, descending=True)
    requested = [path.strip() for path in columns.split(",") if path.strip()] if columns else []
    for path in requested:
        require_path(runs, path)
    shown = requested or _default_columns(runs)
    if sort is not None and not {sort, f"final.{sort}"} & set(shown):
        shown = [*shown, sort]
    if json:
        print_json({"runs": [_as_json(run) | {"columns": _read_columns(run, shown)} for run in runs]})
        return
    _print_table(runs, shown)
    for run in runs:
        if run.problem:
            stderr.print(f"{run.path} is broken: {run.problem}", style="red")


app.command()(compare)


@app.command()
def show(run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")], json: Json = False) -> None:
    """Show every value of a run's spec and summary.

    Each is shown by the path that --where takes.
    """
    from sslreg.runs.records import find_runs

    if not run.is_dir():
        raise UserError(f"there is no folder {run}", hint="list the runs: sslreg runs list", code="not-a-run")
    runs = find_runs(run)
    if len(runs) != 1 or runs[0].path != run:
        raise UserError(
            f"{run} is not the folder of a run", hint=f"list the runs in it: sslreg runs list {run}", code="not-a-run"
        )
    (record,) = runs
    if json:
        print_json(_as_json(record) | {"values": record.values})
        return
    rows = [("state", record.state), ("started", _format_value("started", record.started))]
    if record.problem:
        rows.append(("problem", record.problem))
    _print_columns([*rows, *((path, _format_value(path, value)) for path, value in record.leaves())])


@app.command()
def best(
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="A figure, such as knn_top1.")],
    root: Root = Path("runs"),
    where: Where = None,
    lowest: Annotated[
        bool, typer.Option("--lowest", help="The smallest figure is best; for the loss this is the default.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the folder of the run with the best figure.

    For example: sslreg report $(sslreg runs best knn_top1)
    """
    from sslreg.runs.queries import find_best_run

    run, value = find_best_run(_select_runs(root, where), metric, lowest=lowest)
    if json:
        print_json(_as_json(run) | {"metric": metric, "value": value})
        return
    stderr.print(f"{metric} {_format_value(metric, value)}")
    print_path(run.path)


def _select_runs(root: Path, where: list[str] | None) -> list[RunRecord]:
    from sslreg.runs.queries import count_missing, filter_runs
    from sslreg.runs.records import find_runs

    runs = find_runs(root)
    if not runs:
        raise UserError(f"there is no run under {root}", hint="sslreg train SPEC creates one", code="no-runs")
    for condition in where or ():
        selected = filter_runs(runs, condition)
        if missing := count_missing(runs, condition):
            # A run has no value for a parameter that its spec leaves at the default.
            stderr.print(f"{missing} of {len(runs)} runs have no value there: {condition}", style="dim")
        runs = selected
    if not runs:
        stderr.print(f"no run under {root} matches")
    return runs


def _print_table(runs: list[RunRecord], shown: list[str]) -> None:
    rows = [["run", "state", *(path.removeprefix("final.") for path in shown)]]
    for run in runs:
        values = [
            _format_value(path, value, run.value(f"{path}{INTERVAL}"))
            for path, value in _read_columns(run, shown).items()
        ]
        rows.append([str(run.path), run.state, *values])
    _print_columns(rows, headed=True)


def _print_columns(rows: Sequence[Sequence[str]], *, headed: bool = False) -> None:
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


def _default_columns(runs: list[RunRecord]) -> list[str]:
    """Return the default columns: start, epochs, the figures of the latest run that has some, and where it started.

    The last is the first figure of the starting weights, if a run started from weights.
    """
    finals = [run.values["final"] for run in runs if isinstance(run.values.get("final"), dict)]
    figures = drop_intervals(finals[-1] if finals else ())
    shown = [f"final.{name}" for name in figures[:FIGURES_SHOWN]]
    starting = [f"baseline.starting.{name}" for name in figures[:1]]
    if not any(_is_known(run, path) for run in runs for path in starting):
        starting = []
    return ["started", "epochs", *shown, *starting]


def _is_known(run: RunRecord, path: str) -> bool:
    from sslreg.runs.records import MISSING

    return run.value(path) is not MISSING


def _read_columns(run: RunRecord, paths: list[str]) -> dict[str, Any]:
    from sslreg.runs.records import MISSING, to_scalar

    values = ((path, to_scalar(run.value(path))) for path in paths)
    return {path: None if value is MISSING else value for path, value in values}


def _as_json(run: RunRecord) -> dict[str, Any]:
    return {
        "path": str(run.path),
        "state": run.state,
        "started": _format_value("started", run.started),
        "problem": run.problem,
    }


def _format_value(path: str, value: Any, interval: Any = None) -> str:
    """Format a value for people.

    Args:
        path: The path of the value.
        value: The value.
        interval: The half-width of the confidence interval of a figure that has one.
    """
    if path == "started":
        return datetime.fromtimestamp(value).astimezone().isoformat(" ", "minutes")[:16]
    if value is None:
        return ""
    if isinstance(value, float):
        return format_value(value, interval) if isinstance(interval, float) else f"{value:.4g}"
    return value if isinstance(value, str) else json_module.dumps(value)
