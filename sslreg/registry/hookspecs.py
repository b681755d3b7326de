"""The hooks that a plugin may implement. Mark an implementation with ``@sslreg.hookimpl``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

from sslreg.registry.catalog import Registry

if TYPE_CHECKING:
    import typer

PROJECT = "sslreg"

#: The version of the plugin contract. A plugin states the version that it was written for: ``sslreg_api = 1``.
API = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def sslreg_register(registry: Registry) -> None:
    """Register the plugin's components by import string, so that the plugin's module imports nothing heavy."""


@hookspec
def sslreg_cli(app: typer.Typer) -> None:
    """Add commands to `sslreg`: ``@app.command("name")``. Import what a command needs inside the command.

    Each plugin gets a separate app, whose commands appear among those of sslreg. A plugin cannot replace a command of
    sslreg. If the hook raises, the error is printed and the plugin's commands are left out.
    """


@hookspec
def sslreg_run_finished(run: Any) -> None:
    """React to the end of a run (a `sslreg.Run`). ``run.summary["status"]`` is finished, interrupted or failed.

    Called in one process, after everything is written. If the hook raises, the error is logged and the run is not
    affected.
    """


@hookspec
def sslreg_run_summary(run: Any, lines: list[str]) -> None:
    """Append lines to the summary that `sslreg train` prints of a finished run (a `sslreg.Run`).

    The lines appear between the metrics and the path of the run. If the hook raises, the error is logged and the run is
    not affected.
    """
