"""The command `sslreg data`: what is in a data set, and which recipe suits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sslreg

if TYPE_CHECKING:
    import typer

sslreg_api = 1


@sslreg.hookimpl
def sslreg_cli(app: typer.Typer) -> None:
    from sslreg_data.command import data

    app.command()(data)
