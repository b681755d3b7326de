"""sslreg runs"""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sslreg.cli.console import print_json, stderr
from sslreg.cli.options import Json
from sslreg.errors import UserError
from sslreg.metric_names import INTERVAL, drop_intervals, format_value

if TYPE_CHECKING:
    from sslreg.runs.records import RunRecord

#: Figures that the list shows of itself; others are asked for by --columns.
FIGURES_SHOWN = 4

COLORS = {"running": "cyan", "interrupted": "yellow", "failed": "red", "dead": "red", "broken": "red"}

app = typer.Typer(name="runs", help="Find runs by what they were and what they reached.", no_args_is_help=True)

Root = Annotated[Path, typer.Argument(metavar="ROOT", help="The folder under which the runs are.")]
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
        str | None, typer.Option("--sort", metavar="PATH", help="Order by this value, the largest first.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="PATH,PATH", help="Show these values instead of the usual ones.")
    ] = None,
    json: Json = False,
) -> None:
    """List runs, oldest first.

    For example: sslreg runs list --where model.use=simclr --sort knn_top1
    """
    from sslreg.runs.queries import ordered, require_path

    runs = _found(root, where)
    if sort is not None:
        runs = ordered(runs, sort, descending=True)
    asked = [path.strip() for path in columns.split(",") if path.strip()] if columns else []
    for path in asked:
        require_path(runs, path)
    shown = asked or _usual_columns(runs)
    if sort is not None and not {sort, f"final.{sort}"} & set(shown):
        shown = [*shown, sort]
    if json:
        print_json({"runs": [_as_json(run) | {"columns": _columns(run, shown)} for run in runs]})
        return
    _print_table(runs, shown)
    for run in runs:
        if run.problem:
            stderr.print(f"{run.path} is broken: {run.problem}", style="red", highlight=False, markup=False)


@app.command()
def show(run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")], json: Json = False) -> None:
    """Show every value of a run's spec and summary.

    Each is shown by the path that --where takes.
    """
    from sslreg.runs.records import find_runs

    if not run.is_dir():
        raise UserError(
            f"there is no folder {run}", hint="see which runs there are: sslreg runs list", code="not-a-run"
        )
    found = find_runs(run)
    if len(found) != 1 or found[0].path != run:
        raise UserError(
            f"{run} is not the folder of a run", hint=f"see what is there: sslreg runs list {run}", code="not-a-run"
        )
    (record,) = found
    if json:
        print_json(_as_json(record) | {"values": record.values})
        return
    rows = [("state", record.state), ("started", _text("started", record.started))]
    if record.problem:
        rows.append(("problem", record.problem))
    _print_columns([*rows, *((path, _text(path, value)) for path, value in record.leaves())])


@app.command()
def best(
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="A figure, such as knn_top1.")],
    root: Root = Path("runs"),
    where: Where = None,
    lowest: Annotated[
        bool, typer.Option("--lowest", help="The smallest is best, as it always is for the loss.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the folder of the run with the best figure.

    For example: sslreg report $(sslreg runs best knn_top1)
    """
    from sslreg.runs.queries import best_run

    run, value = best_run(_found(root, where), metric, lowest=lowest)
    if json:
        print_json(_as_json(run) | {"metric": metric, "value": value})
        return
    stderr.print(f"{metric} {_text(metric, value)}", highlight=False, markup=False)
    typer.echo(run.path)


def _found(root: Path, where: list[str] | None) -> list[RunRecord]:
    from sslreg.runs.queries import lacking, matching
    from sslreg.runs.records import find_runs

    runs = find_runs(root)
    if not runs:
        raise UserError(f"there is no run under {root}", hint="sslreg train SPEC makes one", code="no-runs")
    for condition in where or ():
        found = matching(runs, condition)
        if unsaid := lacking(runs, condition):
            # What a spec leaves to a component's default is not among its values.
            stderr.print(f"{unsaid} of {len(runs)} runs have no value there: {condition}", style="dim", markup=False)
        runs = found
    if not runs:
        stderr.print(f"no run under {root} is like that", markup=False)
    return runs


def _print_table(runs: list[RunRecord], shown: list[str]) -> None:
    rows = [["run", "state", *(path.removeprefix("final.") for path in shown)]]
    for run in runs:
        values = [_text(path, value, run.value(f"{path}{INTERVAL}")) for path, value in _columns(run, shown).items()]
        rows.append([str(run.path), run.state, *values])
    _print_columns(rows, headed=True)


def _print_columns(rows: Sequence[Sequence[str]], *, headed: bool = False) -> None:
    """Columns without a frame, of which nothing is cut: a path is there to be copied. The second has the state."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if row[1] in COLORS:
            cells[1] = typer.style(cells[1], COLORS[row[1]])
        line = "  ".join(cells).rstrip()
        typer.echo(typer.style(line, bold=True) if headed and number == 0 else line)


def _usual_columns(runs: list[RunRecord]) -> list[str]:
    """What is of interest without asking: when, how long, and the figures of the latest run that has some."""
    finals = [run.values["final"] for run in runs if isinstance(run.values.get("final"), dict)]
    figures = drop_intervals(finals[-1] if finals else ())
    return ["started", "epochs", *(f"final.{name}" for name in figures[:FIGURES_SHOWN])]


def _columns(run: RunRecord, paths: list[str]) -> dict[str, Any]:
    from sslreg.runs.records import MISSING, as_scalar

    values = ((path, as_scalar(run.value(path))) for path in paths)
    return {path: None if value is MISSING else value for path, value in values}


def _as_json(run: RunRecord) -> dict[str, Any]:
    return {"path": str(run.path), "state": run.state, "started": _text("started", run.started), "problem": run.problem}


def _text(path: str, value: Any, interval: Any = None) -> str:
    """A value for people. interval: the half-width of its confidence interval, where it is a figure that has one."""
    if path == "started":
        return datetime.fromtimestamp(value).astimezone().isoformat(" ", "minutes")[:16]
    if value is None:
        return ""
    if isinstance(value, float):
        return format_value(value, interval) if isinstance(interval, float) else f"{value:.4g}"
    return value if isinstance(value, str) else json_module.dumps(value)
