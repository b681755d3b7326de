"""Everything there is to say about one component."""

from __future__ import annotations

import inspect
from typing import Any

from rich.table import Table

from sslreg.cli.console import stdout
from sslreg.registry import ComponentInfo
from sslreg.spec.parameters import Parameter, parameters_of


def component_json(info: ComponentInfo) -> dict[str, Any]:
    """A component as ``plugins show --json`` prints it."""
    return {
        "kind": info.kind,
        "name": info.name,
        "summary": info.summary,
        "invariances": list(info.invariances),
        "plugin": info.plugin,
        "distribution": info.distribution,
        "version": info.version,
        "target": info.target,
        "deprecation": info.deprecation,
        "parameters": [
            {"name": name, "type": type_, "default": default, "description": description}
            for name, type_, default, description in _rows(info)
        ],
        "documentation": inspect.getdoc(info.load()) or "",
    }


def print_component(info: ComponentInfo) -> None:
    """The same for people."""
    stdout.print(f"[bold]{info.kind}/{info.name}[/]  {info.summary}", highlight=False)
    stdout.print(f"from {info.distribution} {info.version}, {info.target}", style="dim", highlight=False)
    if info.deprecation:
        stdout.print(info.deprecation, style="yellow", highlight=False)
    if info.invariances:
        stdout.print(f"invariances: {', '.join(info.invariances)}")
    table = Table("parameter", "type", "default", "description")
    for row in _rows(info):
        table.add_row(*row)
    if table.row_count:
        stdout.print(table)
    if documentation := inspect.getdoc(info.load()):
        stdout.print(documentation, highlight=False, markup=False)


def _rows(info: ComponentInfo) -> list[tuple[str, str, str, str]]:
    return [
        (
            parameter.name,
            _type_text(parameter),
            "required" if parameter.required else repr(parameter.default),
            parameter.description or "",
        )
        for parameter in parameters_of(info).values()
        if parameter.from_run is None
    ]


def _type_text(parameter: Parameter) -> str:
    """A parameter's type, with the bounds that go with it."""
    bounds = getattr(parameter.annotation, "__metadata__", ())
    return ", ".join([parameter.type_text, *(text for bound in bounds if (text := _bounds_text(bound)))])


def _bounds_text(bound: Any) -> str:
    """``> 0`` for what pydantic's Field or annotated_types say about a number; nothing for what is no bound."""
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "min_length": "at least", "max_length": "at most"}
    parts = [bound, *getattr(bound, "metadata", ())]
    return " and ".join(
        f"{sign} {getattr(part, name)}"
        for part in parts
        for name, sign in signs.items()
        if getattr(part, name, None) is not None
    )
