"""Training curves as text and as pictures.

`sslreg curves RUN` and the end of `sslreg train` show them in the terminal. Every run's folder has `curves.png` and
`curves.svg`, and `collapse.png` and `collapse.svg` if there are figures that detect a collapse.
"""

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
    """Plot the run's curves into its folder, as far as it was trained."""
    from sslreg_curves.metrics import read_metrics
    from sslreg_curves.plots import save_plots

    save_plots(run.path, read_metrics(run.path), run.summary.get("baseline", {}))


@sslreg.hookimpl
def sslreg_run_summary(run: sslreg.Run, lines: list[str]) -> None:
    """Add the curves of the loss and of the evaluations."""
    from sslreg_curves.metrics import read_metrics, select_results
    from sslreg_curves.terminal import format_curves

    lines.extend(format_curves(select_results(read_metrics(run.path)), 40))
