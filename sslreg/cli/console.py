"""What the commands print, and where: results to standard output, all else to standard error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sslreg.errors import Diagnostic, SslregError
from sslreg.metric_names import drop_intervals, format_metric

stdout = Console(soft_wrap=True)
stderr = Console(stderr=True, soft_wrap=True)


def print_error(error: SslregError) -> None:
    """Show an error's findings on standard error."""
    print_diagnostics(error.diagnostics, error.sources, stderr)


def print_diagnostics(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], console: Console) -> None:
    """Show findings with their source lines. sources: the texts that they point into, by file."""
    diagnostics = list(diagnostics)
    if diagnostics:
        from sslreg.spec.diagnostic_rendering import render

        console.print(render(diagnostics, sources))


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal's standard error, and what tells it how many of `total` are done."""
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn(what), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON document on standard output."""
    typer.echo(json.dumps(content, indent=2))


def metrics_table(final: Mapping[str, float], baseline: Mapping[str, Mapping[str, float]]) -> Table:
    """Evaluation figures side by side, with their intervals: raw pixels, the untrained backbone, the trained one."""
    columns = {"raw pixels": baseline.get("raw_pixels", {}), "untrained": baseline.get("untrained", {})}
    table = Table("evaluation", *columns, "trained")
    for name in drop_intervals(final):
        if any(name in figures for figures in columns.values()):
            cells = [format_metric(figures, name) for figures in columns.values()]
            table.add_row(name, *cells, f"[bold]{format_metric(final, name)}[/]")
    return table
