"""The command `sslreg tune`: choose invariances, and other values of a spec, by measuring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sslreg

if TYPE_CHECKING:
    import typer

sslreg_api = 1


@sslreg.hookimpl
def sslreg_cli(app: typer.Typer) -> None:
    from sslreg_tune.command import tune

    app.command()(tune)
