"""sslreg plugins"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from sslreg.cli.output import print_json, stdout
from sslreg.errors import UserError, did_you_mean
from sslreg.registry import KINDS, ComponentInfo, PluginReport, installed

app = typer.Typer(name="plugins", help="See which plugins are installed and what they provide.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """List the plugins and their components."""
    catalogue = installed()
    if json:
        print_json({"plugins": [_report(plugin) for plugin in catalogue.plugins]})
        return
    table = Table("plugin", "from", "status", "components", show_lines=True)
    for plugin in catalogue.plugins:
        table.add_row(plugin.name, f"{plugin.distribution} {plugin.version}", plugin.status, _contents(plugin))
    stdout.print(table)


@app.command()
def show(
    component: Annotated[str, typer.Argument(metavar="KIND/NAME", help="For example loss/nt_xent.")],
    json: Json = False,
) -> None:
    """Show a component: its parameters, where it comes from, its documentation."""
    from sslreg.cli.component import component_json, print_component

    info = _find(component)
    if json:
        print_json(component_json(info))
    else:
        print_component(info)


def _find(component: str) -> ComponentInfo:
    kind, _, name = component.rpartition("/")
    catalogue = installed()
    if kind:
        if kind not in KINDS:
            raise UserError(f"no kind of component is called {kind!r}", hint=did_you_mean(kind, KINDS))
        return catalogue.get(kind, name)
    named = [info for info in catalogue if info.name == name]
    if len(named) == 1:
        return named[0]
    if named:
        choices = " or ".join(f"{info.kind}/{info.name}" for info in named)
        raise UserError(f"several components are called {name!r}", hint=f"say which: {choices}")
    raise UserError(
        f"no plugin provides a component {name!r}", hint=did_you_mean(name, {info.name for info in catalogue})
    )


def _report(plugin: PluginReport) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "status": plugin.status,
        "error": plugin.error,
        "components": [{"kind": info.kind, "name": info.name, "summary": info.summary} for info in plugin.components],
    }


def _contents(plugin: PluginReport) -> str:
    if plugin.error:
        return plugin.error
    by_kind: dict[str, list[str]] = {}
    for info in plugin.components:
        by_kind.setdefault(KINDS[info.kind].title, []).append(info.name)
    return "\n".join(f"{title}: {', '.join(names)}" for title, names in by_kind.items())
