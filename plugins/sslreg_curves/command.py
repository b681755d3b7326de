"""sslreg curves"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import sslreg
from sslreg_curves.metrics import read_metrics
from sslreg_curves.terminal import format_curves


def curves(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, finished or not.")],
    width: Annotated[int, typer.Option("--width", min=1, help="Characters per curve.")] = 40,
) -> None:
    """Show a run's curves in the terminal, also while it trains."""
    for line in format_curves(read_metrics(run), width):
        typer.echo(sslreg.escape_text(line))
