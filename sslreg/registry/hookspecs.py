"""The hooks that a plugin may implement, with ``@sslreg.hookimpl`` before the function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from sslreg.registry.catalog import Registry

if TYPE_CHECKING:
    import typer

    from sslreg.training import Run

PROJECT = "sslreg"

#: The version of the plugin contract. A plugin says which one it was written for: ``sslreg_api = 1``.
API = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def sslreg_register(registry: Registry) -> None:
    """Register the plugin's components, by import string: keep the plugin's module light."""


@hookspec
def sslreg_cli(app: typer.Typer) -> None:
    """Add commands to `sslreg`: ``@app.command("name")``. Their own imports belong inside of them.

    The app is the plugin's own, and what it holds appears among sslreg's commands. A name that sslreg itself has stays
    sslreg's. What the hook raises is printed, and the plugin's commands are left out.
    """


@hookspec
def sslreg_run_finished(run: Run) -> None:
    """React to a run that has ended; ``run.summary["status"]`` says how: finished, interrupted or failed.

    Called in one process, once everything is written. What the hook raises is logged and fails nothing.
    """


@hookspec
def sslreg_run_summary(run: Run, lines: list[str]) -> None:
    """Add lines to what `sslreg train` prints of a run that has finished, between its figures and where everything is.

    What the hook raises is logged and fails nothing.
    """
