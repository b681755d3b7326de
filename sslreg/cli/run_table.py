"""Prints lists of runs in columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from sslreg.cli.console import stdout
from sslreg.escaping import escape_text
from sslreg.metric_names import format_count

if TYPE_CHECKING:
    from sslreg.runs.listing import RunListing

COLORS = {"running": "cyan", "interrupted": "yellow", "failed": "red", "dead": "red", "broken": "red"}


def print_listing(listing: RunListing) -> None:
    """Print a row for each run, or for each group with the first of its runs."""
    grouped = listing.groups is not None
    table = [["runs", "number", *listing.titles] if grouped else ["run", "state", *listing.titles]]
    for row in listing.rows():
        first = row.runs[0]
        others = f" and {format_count(len(row.runs) - 1, 'other seed')}" if len(row.runs) > 1 else ""
        table.append([f"{first.path}{others}", row.format_count() if grouped else first.state, *row.cells])
    print_columns(table, headed=True)


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
