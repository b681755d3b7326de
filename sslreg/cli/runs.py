"""sslreg runs"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sslreg.cli.compare import compare
from sslreg.cli.console import print_json, print_path, stderr
from sslreg.cli.options import Json
from sslreg.cli.run_table import print_columns, print_listing
from sslreg.errors import UserError

if TYPE_CHECKING:
    from sslreg.runs.records import RunRecord

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
    group: Annotated[
        bool,
        typer.Option("--group", help="One row for all runs that differ in nothing but their seeds, with means."),
    ] = False,
    json: Json = False,
) -> None:
    """List runs, oldest first.

    The list has the values in which the specs differ, if they are few. For example: sslreg runs list --where
    model.use=simclr --sort knn_top1
    """
    from sslreg.runs.listing import list_runs, read_columns

    requested = [path.strip() for path in columns.split(",") if path.strip()] if columns else []
    listing = list_runs(_select_runs(root, where), sort, requested, group)
    if json and listing.groups is not None:
        print_json({"groups": [row.as_json() for row in listing.groups]})
        return
    if json:
        print_json({"runs": [_as_json(run) | {"columns": read_columns(run, listing.columns)} for run in listing.runs]})
        return
    print_listing(listing)
    for run in listing.runs:
        if run.problem:
            stderr.print(f"{run.path} is broken: {run.problem}", style="red")


app.command()(compare)


@app.command()
def show(run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")], json: Json = False) -> None:
    """Show every value of a run's spec and summary.

    Each is shown by the path that --where takes.
    """
    from sslreg.runs.listing import format_cell
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
    rows = [("state", record.state), ("started", format_cell("started", record.started))]
    if record.problem:
        rows.append(("problem", record.problem))
    print_columns([*rows, *((path, format_cell(path, value)) for path, value in record.leaves())])


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
    from sslreg.runs.listing import format_cell
    from sslreg.runs.queries import find_best_run

    run, value = find_best_run(_select_runs(root, where), metric, lowest=lowest)
    if json:
        print_json(_as_json(run) | {"metric": metric, "value": value})
        return
    stderr.print(f"{metric} {format_cell(metric, value)}")
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


def _as_json(run: RunRecord) -> dict[str, Any]:
    from sslreg.runs.listing import format_cell

    return {
        "path": str(run.path),
        "state": run.state,
        "started": format_cell("started", run.started),
        "problem": run.problem,
    }
