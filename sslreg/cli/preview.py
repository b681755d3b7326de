"""The command ``sslreg preview``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sslreg.cli.console import print_diagnostics, stderr, stdout
from sslreg.cli.options import Overrides, SpecName
from sslreg.errors import UserError
from sslreg.metric_names import format_count


def preview(
    spec: SpecName,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The file to write: an image (views.png) or a page (views.html); default: NAME-views.png.",
        ),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Write a page; default of --out: NAME-views.html.")] = False,
    samples: Annotated[int, typer.Option("--samples", min=1, help="The number of images.")] = 8,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="The seed that selects images and samples views; default: the spec's."),
    ] = None,
    epoch: Annotated[int, typer.Option("--epoch", min=0, help="The epoch of the views, counted from 0.")] = 0,
    params: Annotated[
        bool, typer.Option("--params", help="Write the sampled parameters of each operation under each view.")
    ] = False,
) -> None:
    """Show the views that a spec makes of your images."""
    if html and out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--html writes a page, but --out {out} does not end in .html", code="bad-argument")

    from sslreg.report import preview as make_preview
    from sslreg.spec import load_spec

    loaded = load_spec(spec, overrides or ())
    print_diagnostics(loaded.warnings, loaded.sources, stderr)
    made = make_preview(loaded, samples, seed, epoch)
    path = out or Path(f"{loaded.name}-views{'.html' if html else '.png'}")
    made.save(path, params)
    stdout.print(f"{path}: views of {format_count(len(made.rows), 'image')}")
    for line in (*made.notes, *(f"{row.name} cannot be shown: {row.error}" for row in made.rows if row.error)):
        stderr.print(line)
