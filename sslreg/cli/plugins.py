"""The commands ``sslreg plugins …``."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sslreg.cli.console import print_json, stdout
from sslreg.cli.options import Json
from sslreg.errors import SslregError, UserError
from sslreg.metric_names import format_count
from sslreg.registry import KINDS, ComponentInfo, PluginReport, installed
from sslreg.suggestions import did_you_mean

if TYPE_CHECKING:
    from sslreg.cli.plugin_doctor import Examination

app = typer.Typer(name="plugins", help="List, examine and write plugins.", no_args_is_help=True)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the plugins and their components."""
    catalog = installed()
    if json:
        print_json({"plugins": [_plugin_json(plugin) for plugin in catalog.plugins]})
        return
    table = Table("plugin", "from", "status", "components", show_lines=True)
    for plugin in catalog.plugins:
        origin = f"{plugin.distribution} {plugin.version}"
        table.add_row(plugin.name, origin, plugin.status, _format_components(plugin))
    stdout.print(table)


@app.command()
def show(
    component: Annotated[str, typer.Argument(metavar="KIND/NAME", help="A component, for example loss/nt_xent.")],
    json: Json = False,
) -> None:
    """Show a component: parameters, origin, documentation."""
    from sslreg.cli.component_details import component_json, print_component

    info = _find_component(component)
    if json:
        print_json(component_json(info))
    else:
        print_component(info)


@app.command()
def doctor(
    json: Json = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show the tracebacks of plugins' errors.")] = False,
) -> None:
    """Find broken plugins and explain how to fix them. The exit status is 1 if a plugin is broken."""
    from sslreg.cli.plugin_doctor import examine

    examinations = examine(installed())
    if json:
        print_json({"plugins": [examination.as_json() for examination in examinations]})
    else:
        for examination in examinations:
            _print_examination(examination, traceback)
    if any(examination.broken for examination in examinations):
        raise typer.Exit(SslregError.exit_status)


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the package, for example acme-noise.")],
    kind: Annotated[str, typer.Option("--kind", help=f"The kind of component: {', '.join(KINDS)}.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="The folder to write; default: NAME in this folder.")
    ] = None,
) -> None:
    """Write the package of a new plugin.

    The package contains a working component, a spec and tests.
    """
    from sslreg.cli.scaffold import write_package

    folder = to or Path(name)
    for path in write_package(name, kind, folder):
        stdout.print(str(path))
    stdout.print(f"\nnext:\n  cd {folder}\n  pip install -e .\n  pytest\n  sslreg train specs/{name}.yaml")


def _print_examination(examination: Examination, traceback: bool) -> None:
    plugin = examination.plugin
    state = "broken" if examination.broken else "ok" if plugin.status == "loaded" else plugin.status
    count = f", {format_count(len(plugin.components), 'component')}" if plugin.status == "loaded" else ""
    stdout.print(f"{state:8}{plugin.name} ({plugin.distribution} {plugin.version}){count}")
    for diagnostic in examination.diagnostics:
        stdout.print(f"        {diagnostic.severity}: {diagnostic.message}")
        if diagnostic.hint:
            stdout.print(f"        hint: {diagnostic.hint}")
    for text in examination.tracebacks if traceback else ():
        stdout.print(textwrap.indent(text, " " * 8))


def _find_component(component: str) -> ComponentInfo:
    kind, _, name = component.rpartition("/")
    catalog = installed()
    if kind:
        if kind not in KINDS:
            raise UserError(
                f"there is no kind of component {kind!r}", hint=did_you_mean(kind, KINDS), code="unknown-kind"
            )
        return catalog.get(kind, name)
    matches = [info for info in catalog if info.name == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        choices = " or ".join(f"{info.kind}/{info.name}" for info in matches)
        raise UserError(
            f"there are several components {name!r}", hint=f"choose one of them: {choices}", code="ambiguous-component"
        )
    raise UserError(
        f"no plugin provides a component {name!r}",
        hint=did_you_mean(name, {info.name for info in catalog}),
        code="unknown-component",
    )


def _plugin_json(plugin: PluginReport) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "status": plugin.status,
        "error": plugin.error,
        "components": [{"kind": info.kind, "name": info.name, "summary": info.summary} for info in plugin.components],
    }


def _format_components(plugin: PluginReport) -> str:
    """Return the names of a plugin's components by kind, or the error if it failed."""
    if plugin.error:
        return plugin.error
    by_kind: dict[str, list[str]] = {}
    for info in plugin.components:
        by_kind.setdefault(KINDS[info.kind].title, []).append(info.name)
    return "\n".join(f"{title}: {', '.join(names)}" for title, names in by_kind.items())
