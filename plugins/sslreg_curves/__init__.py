"""Training curves: `sslreg curves RUN` shows them in the terminal, and every run gets a `curves.svg`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sslreg

if TYPE_CHECKING:
    import typer

sslreg_api = 1


@sslreg.hookimpl
def sslreg_cli(app: typer.Typer) -> None:
    from sslreg_curves.command import curves

    app.command()(curves)


@sslreg.hookimpl
def sslreg_run_finished(run: sslreg.Run) -> None:
    """Draw the run's curves into its folder, as far as it got."""
    from sslreg_curves.figure import svg
    from sslreg_curves.metrics import read_metrics

    (run.path / "curves.svg").write_text(svg(read_metrics(run.path)), encoding="utf-8")
