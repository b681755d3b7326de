"""Commands that plugins add to `sslreg`."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from sslreg.cli.console import stderr
from sslreg.registry import call_hook, installed


class CommandGroup(TyperGroup):
    """The commands of sslreg and, after them, those of plugins.

    Plugins are only asked when their commands matter: for the help, for completion, and for a command that is none of
    sslreg's own. These come first, so a plugin cannot replace one.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *sorted(set(_of_plugins(ctx)) - set(own))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or _of_plugins(ctx).get(cmd_name)


def _of_plugins(ctx: Any) -> dict[str, Any]:
    """The plugins' commands by name, asked for once in an invocation."""
    found: dict[str, Any] = ctx.meta.get(__name__, {})
    if __name__ in ctx.meta:
        return found
    ctx.meta[__name__] = found
    catalog = installed()
    for plugin in catalog.plugins:
        # An app of its own: what it does to it touches nobody else's commands.
        app = typer.Typer(rich_markup_mode=None)
        if error := call_hook(catalog, plugin, "sslreg_cli", app=app):
            stderr.print(f"the commands of {plugin} are left out: {type(error).__name__}: {error}", markup=False)
            continue
        for name, command in typer.main.get_group(app).commands.items():
            if found.setdefault(name, command) is not command:
                stderr.print(f"the command {name!r} of {plugin} is left out: another plugin has it", markup=False)
    return found
