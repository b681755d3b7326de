"""sslreg plugins"""

from __future__ import annotations

import textwrap
from functools import partial
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
    from sslreg.cli.doctor import Examination

#: Prints a text as it is.
print_plain = partial(stdout.print, highlight=False, markup=False)

app = typer.Typer(name="plugins", help="See, examine and write plugins.", no_args_is_help=True)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the plugins and their components."""
    catalog = installed()
    if json:
        print_json({"plugins": [_report(plugin) for plugin in catalog.plugins]})
        return
    table = Table("plugin", "from", "status", "components", show_lines=True)
    for plugin in catalog.plugins:
        table.add_row(plugin.name, f"{plugin.distribution} {plugin.version}", plugin.status, _contents(plugin))
    stdout.print(table)


@app.command()
def show(
    component: Annotated[str, typer.Argument(metavar="KIND/NAME", help="For example loss/nt_xent.")],
    json: Json = False,
) -> None:
    """Show a component: parameters, origin, documentation."""
    from sslreg.cli.component_details import component_json, print_component

    info = _find(component)
    if json:
        print_json(component_json(info))
    else:
        print_component(info)


@app.command()
def doctor(
    json: Json = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show the tracebacks of what plugins raised.")] = False,
) -> None:
    """Examine the plugins: what is broken, and how to mend it. The exit status is 1 if anything is."""
    from sslreg.cli.doctor import examine

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
    name: Annotated[str, typer.Argument(metavar="NAME", help="The package's name, for example acme-noise.")],
    kind: Annotated[str, typer.Option("--kind", help=f"What it provides: {', '.join(KINDS)}.")],
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Where to; default NAME here.")] = None,
) -> None:
    """Write a plugin package to start from.

    It has a working component, a spec and tests.
    """
    from sslreg.cli.scaffold import write_package

    folder = to or Path(name)
    for path in write_package(name, kind, folder):
        print_plain(str(path))
    print_plain(f"\nnext:\n  cd {folder}\n  pip install -e .\n  pytest\n  sslreg train specs/{name}.yaml")


def _print_examination(examination: Examination, traceback: bool) -> None:
    plugin = examination.plugin
    state = "broken" if examination.broken else "ok" if plugin.status == "loaded" else plugin.status
    count = f", {format_count(len(plugin.components), 'component')}" if plugin.status == "loaded" else ""
    print_plain(f"{state:8}{plugin.name} ({plugin.distribution} {plugin.version}){count}")
    for finding in examination.findings:
        print_plain(f"        {finding.severity}: {finding.message}")
        if finding.hint:
            print_plain(f"        hint: {finding.hint}")
    for raised in examination.tracebacks if traceback else ():
        print_plain(textwrap.indent(raised, " " * 8))


def _find(component: str) -> ComponentInfo:
    kind, _, name = component.rpartition("/")
    catalog = installed()
    if kind:
        if kind not in KINDS:
            raise UserError(
                f"no kind of component is called {kind!r}", hint=did_you_mean(kind, KINDS), code="unknown-kind"
            )
        return catalog.get(kind, name)
    named = [info for info in catalog if info.name == name]
    if len(named) == 1:
        return named[0]
    if named:
        choices = " or ".join(f"{info.kind}/{info.name}" for info in named)
        raise UserError(
            f"several components are called {name!r}", hint=f"say which: {choices}", code="ambiguous-component"
        )
    raise UserError(
        f"no plugin provides a component {name!r}",
        hint=did_you_mean(name, {info.name for info in catalog}),
        code="unknown-component",
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
