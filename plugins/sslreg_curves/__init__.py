"""Training curves in the terminal and as pictures: `sslreg curves RUN`, the end of `sslreg train`, and `curves.png` and
`curves.svg` in every run's folder, beside `collapse.png` and `collapse.svg` where a collapse was watched for."""

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
    from sslreg_curves.metrics import read_metrics
    from sslreg_curves.plots import draw

    draw(run.path, read_metrics(run.path), run.summary.get("baseline", {}))


@sslreg.hookimpl
def sslreg_run_summary(run: sslreg.Run, lines: list[str]) -> None:
    """The course of the loss and of what was evaluated."""
    from sslreg_curves.metrics import reached, read_metrics
    from sslreg_curves.terminal import lines as drawn

    lines.extend(drawn(reached(read_metrics(run.path)), 40))
