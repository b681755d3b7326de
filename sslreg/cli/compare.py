"""The command ``sslreg runs compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sslreg.cli.console import print_json, stderr, stdout
from sslreg.cli.options import Json
from sslreg.errors import UserError
from sslreg.escaping import escape_text
from sslreg.metric_names import format_value


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Folders of runs, or folders that contain runs.")
    ],
    json: Json = False,
) -> None:
    """Compare runs with each other and with their baselines.

    The output states which differences are distinguishable. Three or more runs that differ in nothing but their seeds
    are averaged. For example: sslreg runs compare runs/weak runs/strong
    """
    from sslreg.runs.comparison import tabulate_runs
    from sslreg.runs.records import find_runs

    found = [run for folder in folders for run in find_runs(folder)]
    for run in found:
        if run.problem:
            stderr.print(f"{run.path} is left out, because it is broken: {run.problem}", style="red", markup=False)
    runs = [run for run in found if not run.problem]
    if not runs:
        raise UserError("there is no run to compare", hint="sslreg runs list shows the runs", code="no-runs")
    content = tabulate_runs(runs, [str(run.path) for run in runs])
    if json:
        print_json(content.as_json())
        return
    table = Table("run or baseline", *content.metrics)
    for row in content.rows:
        estimates = (row.metrics.get(metric) for metric in content.metrics)
        cells = ["" if one is None else format_value(one.value, one.interval) for one in estimates]
        table.add_row(Text(escape_text(row.name)), *cells, style="bold" if row.runs else None)
    stdout.print(table)
    for comparison in content.comparisons():
        stdout.print(comparison.sentence, markup=False, highlight=False)
