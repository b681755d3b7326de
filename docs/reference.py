"""Write the pages under reference/ from the installed sslreg: ``python docs/reference.py``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer
from benchmark_tables import benchmarks
from docstrings import to_markdown

from sslreg.cli.app import app
from sslreg.cli.component_details import component_json
from sslreg.registry import KINDS, ComponentInfo, Kind, installed
from sslreg.spec import shipped_specs
from sslreg.spec.shipped_specs import summary_of

FOLDER = Path(__file__).with_name("reference")


def components() -> str:
    """Return the page of all default components, by kind."""
    parts = [
        "# Components",
        "The default components, by kind. A spec names a component with `use:`. `sslreg plugins show KIND/NAME` shows "
        "the same for every installed component.",
    ]
    for kind in KINDS.values():
        infos = [info for info in installed().of_kind(kind.name) if info.distribution == "sslreg"]
        if infos:
            parts += [f"## {kind.title}", *_common_keys(kind), *_entries(infos)]
    return _page(parts)


def _common_keys(kind: Kind) -> list[str]:
    keys = ", ".join(f"`{name}` ({'none' if default is None else default})" for name, (_, default) in kind.keys.items())
    return [f"Every {kind.title} takes: {keys}."] if keys else []


def _entries(infos: Iterable[ComponentInfo]) -> Iterator[str]:
    """Yield an entry for each component. Components that differ only in their names share one."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for info in infos:
        content = component_json(info)
        groups.setdefault(repr((content["parameters"], content["documentation"])), []).append(content)
    for group in groups.values():
        names = [f"`{each['name']}`" for each in group]
        first = group[0]
        if len(group) == 1:
            yield f"### {names[0]}"
            yield _sentence(first["summary"])
        else:
            yield f"### {names[0]} and {len(names) - 1} more"
            yield ", ".join(names)
        if first["invariances"]:
            yield f"Induces invariance to {', '.join(first['invariances'])}."
        if first["parameters"]:
            yield _parameters(first["parameters"])
        yield from _prose(first)


def _sentence(summary: str) -> str:
    return f"{summary[:1].upper()}{summary[1:]}."


def _parameters(rows: list[dict[str, str]]) -> str:
    lines = ["| parameter | type | default | |", "|---|---|---|---|"]
    for row in rows:
        default = _cell(row["default"], code=row["default"] != "required")
        type_ = _cell(row["type"], code=True)
        lines.append(f"| `{row['name']}` | {type_} | {default} | {_cell(row['description'])} |")
    return "\n".join(lines)


def commands() -> str:
    """Return the page of all commands with their arguments and options."""
    parts = [
        "# Commands",
        "Results go to standard output, everything else to standard error.\n\n"
        "| exit status | meaning |\n|---|---|\n"
        "| 0 | success |\n"
        "| 1 | failure while running |\n"
        "| 2 | a mistake in the spec, the arguments or the data |\n"
        "| 75 | interrupted; the run can resume |\n"
        "| 130 | stopped at once by a second Ctrl-C |",
    ]
    root = typer.main.get_command(app)
    for path, command in _walk(root, "sslreg", root.make_context("sslreg", [], resilient_parsing=True)):
        parts += [f"## {path}", *_describe_command(path, command)]
    return _page(parts)


def _walk(command: Any, path: str, context: Any) -> Iterator[tuple[str, Any]]:
    """Yield each command after its group. Groups without options are left out."""
    inner = command.list_commands(context) if hasattr(command, "list_commands") else []
    if command.params or not inner:
        yield path, command
    for name in inner:
        yield from _walk(command.get_command(context, name), f"{path} {name}", context)


def _describe_command(path: str, command: Any) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join([path, *map(_placeholder, arguments)])
    yield f"```text\n{usage}{' [OPTIONS]' if options else ''}\n```"
    if command.help:
        yield command.help
    rows = [(_placeholder(each) if each in arguments else _flag(each), each.help or "") for each in arguments + options]
    if rows:
        yield "\n".join(
            ["| | |", "|---|---|", *(f"| {_cell(name, code=True)} | {_cell(text)} |" for name, text in rows)]
        )


def _placeholder(argument: Any) -> str:
    text = (argument.metavar or argument.name.upper()).strip("[].") + ("…" if argument.nargs == -1 else "")
    return text if argument.required else f"[{text}]"


def _flag(option: Any) -> str:
    flags = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return flags
    choices = "|".join(type(option.default)) if isinstance(option.default, StrEnum) else ""
    return f"{flags} {option.metavar or choices or option.name.upper()}"


def specs() -> str:
    """Return the page of all shipped specs, in full."""
    parts = [
        "# Shipped specs",
        "`sslreg train NAME` trains a spec. `sslreg specs copy NAME mine.yaml` copies it, so that you can change it.",
    ]
    for name, path in shipped_specs().items():
        body = re.sub(r"\A(?:#.*\n)+", "", path.read_text(encoding="utf-8"))
        parts += [f"## {name}", summary_of(path), f"```yaml\n{body.rstrip()}\n```"]
    return _page(parts)


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _cell(text: str, code: bool = False) -> str:
    text = " ".join(text.split()).replace("``", "`")
    if code and "|" in text:
        # Markdown dialects disagree about a bar inside backticks in a table.
        return f"<code>{text.replace('<', '&lt;').replace('|', '&#124;')}</code>"
    return f"`{text}`" if code and text else text.replace("|", "\\|")


def _prose(component: dict[str, Any]) -> Iterator[str]:
    """Yield the paragraphs of a component's docstring, except the descriptions of parameters."""
    for paragraph in to_markdown(component["documentation"], omit=("Args", "Attributes")).split("\n\n"):
        if not re.match(r"[a-z_]+(?:, [a-z_]+)*(?: \([^)\n]*\))?: ", paragraph):
            yield re.sub(r"\n +", " ", paragraph).replace("<", "&lt;")


#: The function that generates each page.
PAGES: dict[str, Callable[[], str]] = {
    "components.md": components,
    "commands.md": commands,
    "specs.md": specs,
    "benchmarks.md": benchmarks,
}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
