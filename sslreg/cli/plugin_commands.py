"""Adds the commands of plugins to `sslreg`."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from sslreg.cli.console import stderr
from sslreg.errors import describe_error
from sslreg.registry import call_hook, installed


class CommandGroup(TyperGroup):
    """The commands of sslreg, followed by those of plugins.

    Plugins are loaded only if their commands matter: for help, for completion, and for a command that sslreg does not
    have. A plugin cannot replace a command of sslreg.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *sorted(set(_plugin_commands(ctx)) - set(own))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or _plugin_commands(ctx).get(cmd_name)


def _plugin_commands(ctx: Any) -> dict[str, Any]:
    """Return the commands of plugins by name; they are collected once per invocation."""
    commands: dict[str, Any] = ctx.meta.get(__name__, {})
    if __name__ in ctx.meta:
        return commands
    ctx.meta[__name__] = commands
    catalog = installed()
    for plugin in catalog.plugins:
        # Each plugin gets a separate app, so that it cannot change the commands of others.
        app = typer.Typer(rich_markup_mode=None)
        if error := call_hook(catalog, plugin, "sslreg_cli", app=app):
            stderr.print(f"the commands of {plugin} are left out: {describe_error(error)}")
            continue
        for name, command in typer.main.get_group(app).commands.items():
            if commands.setdefault(name, command) is not command:
                stderr.print(f"the command {name!r} of {plugin} is left out: another plugin has it")
    return commands
