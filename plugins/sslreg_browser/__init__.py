"""The command `sslreg browse`: a local page for views, runs and features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sslreg

if TYPE_CHECKING:
    import typer

sslreg_api = 1


@sslreg.hookimpl
def sslreg_cli(app: typer.Typer) -> None:
    from sslreg_browser.command import browse

    app.command()(browse)
