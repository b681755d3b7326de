"""The command ``sslreg report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sslreg.cli.console import stdout


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="The folders of one or more runs.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.html", help="The page to write.")] = Path("report.html"),
) -> None:
    """Write a page that shows and compares runs.

    The page is a single file.
    """
    from sslreg.report import write_report

    write_report(runs, out)
    stdout.print(f"{out}: open it in a browser ({out.stat().st_size / 1e6:.1f} MB)")
