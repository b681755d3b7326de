"""Printing: results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sslreg.errors import Diagnostic, SslregError
from sslreg.terminal import TerminalConsole

stdout = TerminalConsole()
stderr = TerminalConsole(stderr=True)


def print_error(error: SslregError) -> None:
    """Print the diagnostics of an error on standard error."""
    print_diagnostics(error.diagnostics, error.sources, stderr)


def print_diagnostics(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], console: Console) -> None:
    """Print diagnostics with their source lines.

    Args:
        diagnostics: the diagnostics.
        sources: the contents of the files that they refer to, by file name.
        console: where to print.
    """
    diagnostics = list(diagnostics)
    if diagnostics:
        from sslreg.spec.diagnostic_rendering import render

        console.print(render(diagnostics, sources))


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error if it is a terminal.

    Args:
        total: the number of items.
        what: what the items are, in the plural.

    Yields:
        A function that takes the number of finished items.
    """
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn(what), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda finished: bar.update(task, completed=finished)


def print_json(content: Mapping[str, Any]) -> None:
    """Print a JSON document on standard output."""
    stdout.print(json.dumps(content, indent=2))


def print_path(path: Path) -> None:
    """Print a path on standard output for another program, byte by byte; escaped for a terminal."""
    binary = getattr(sys.stdout, "buffer", None)
    if stdout.is_terminal or binary is None:
        stdout.print(str(path))
        return
    sys.stdout.flush()
    binary.write(os.fsencode(path) + b"\n")
    sys.stdout.flush()
