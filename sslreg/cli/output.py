"""What the commands print, and where: results to standard output, all else to standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from sslreg.errors import Diagnostic, SslregError

stdout = Console(soft_wrap=True)
stderr = Console(stderr=True, soft_wrap=True)


def print_error(error: SslregError) -> None:
    """Show an error's findings on standard error."""
    print_diagnostics(error.diagnostics, error.sources, stderr)


def print_diagnostics(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], console: Console) -> None:
    """Show findings with their source lines. sources: the texts that they point into, by file."""
    diagnostics = list(diagnostics)
    if diagnostics:
        from sslreg.spec.render import render

        console.print(render(diagnostics, sources))


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON document on standard output."""
    typer.echo(json.dumps(content, indent=2))


def figures_table(final: Mapping[str, float], baseline: Mapping[str, Mapping[str, float]]) -> Table:
    """Evaluation figures side by side: raw pixels, the untrained backbone, the trained one."""
    columns = {"raw pixels": baseline.get("raw_pixels", {}), "untrained": baseline.get("untrained", {})}
    table = Table("evaluation", *columns, "trained")
    for name, value in final.items():
        if any(name in figures for figures in columns.values()):
            cells = [f"{figures[name]:.3f}" if name in figures else "" for figures in columns.values()]
            table.add_row(name, *cells, f"[bold]{value:.3f}[/]")
    return table
