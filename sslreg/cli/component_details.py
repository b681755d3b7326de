"""The details of one component, as ``sslreg plugins show`` prints them."""

from __future__ import annotations

import inspect
from typing import Any

from rich.table import Table
from rich.text import Text

from sslreg.cli.console import stdout
from sslreg.errors import type_name
from sslreg.registry import ComponentInfo
from sslreg.spec.parameters import Parameter, parameters_of


def component_json(info: ComponentInfo) -> dict[str, Any]:
    """Return the details of a component as JSON."""
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
            for name, type_, default, description in _parameter_rows(info)
        ],
        "documentation": _read_documentation(info),
    }


def print_component(info: ComponentInfo) -> None:
    """Print the details of a component."""
    stdout.print(Text.assemble((f"{info.kind}/{info.name}", "bold"), f"  {info.summary}"))
    stdout.print(f"from {info.distribution} {info.version}, {info.target}", style="dim")
    if info.deprecation:
        stdout.print(info.deprecation, style="yellow")
    if info.invariances:
        stdout.print(f"invariances: {', '.join(info.invariances)}")
    table = Table("parameter", "type", "default", "description")
    for row in _parameter_rows(info):
        table.add_row(*row)
    if table.row_count:
        stdout.print(table)
    if documentation := _read_documentation(info):
        stdout.print(documentation)


def _parameter_rows(info: ComponentInfo) -> list[tuple[str, str, str, str]]:
    return [
        (
            parameter.name,
            _format_type_with_bounds(parameter),
            "required" if parameter.required else _format_default(parameter.default),
            parameter.description or "",
        )
        for parameter in parameters_of(info).values()
        if parameter.from_run is None
    ]


def _read_documentation(info: ComponentInfo) -> str:
    target = info.load()
    try:
        return inspect.getdoc(target) or ""
    except Exception:  # noqa: BLE001 - a class may compute its docstring
        return ""


def _format_default(default: Any) -> str:
    try:
        return repr(default)
    except Exception:  # noqa: BLE001 - the default may be an object of the plugin
        return f"<{type_name(default)}>"


def _format_type_with_bounds(parameter: Parameter) -> str:
    metadata = getattr(parameter.annotation, "__metadata__", ())
    return ", ".join([parameter.type_text, *(text for item in metadata if (text := _format_bounds(item)))])


def _format_bounds(metadata: Any) -> str:
    """Format the bounds in pydantic's Field or in an annotated_types class, such as ``> 0``; "" if there are none."""
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "min_length": "at least", "max_length": "at most"}
    bounds = [metadata, *getattr(metadata, "metadata", ())]
    return " and ".join(
        f"{sign} {getattr(bound, name)}"
        for bound in bounds
        for name, sign in signs.items()
        if getattr(bound, name, None) is not None
    )
