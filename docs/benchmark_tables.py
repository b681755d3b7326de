"""Convert the results of the benchmarks to tables. In any result, the innermost mappings become rows."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def benchmarks() -> str:
    """Return the page of all results under benchmarks/results/, with the method and the machine."""
    parts = [
        "# Benchmarks",
        "Each benchmark compares sslreg with another library, or with a lower bound, in one run on the same cores. "
        "Ratios transfer to other machines better than seconds. Times are the best of several rounds unless stated "
        "otherwise. The extra `bench` installs the other libraries.",
    ]
    paths: dict[str, list[Path]] = {}
    for path in sorted((BENCHMARKS / "results").rglob("*.json")):
        paths.setdefault(path.stem, []).append(path)
    for name, machines in sorted(paths.items()):
        program = BENCHMARKS / f"{name}.py"
        parts += [
            f"## {name.replace('_', ' ')}",
            (ast.get_docstring(ast.parse(program.read_text(encoding="utf-8"))) or "").replace("``", "`"),
        ]
        for path in machines:
            parts += _describe_results(json.loads(path.read_text(encoding="utf-8")))
    return "\n\n".join(parts) + "\n"


def _describe_results(content: dict[str, Any]) -> Iterator[str]:
    measured_on = content.pop("measured_on", {})
    yield "Measured on " + ", ".join(f"{name} {value}" for name, value in measured_on.items()) + "."
    yield from _tables(content)


def _tables(content: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield a table of the single values of a mapping, then tables of its mappings: one table if they are all rows."""
    single = {name: value for name, value in content.items() if _is_leaf(value)}
    nested = {name: value for name, value in content.items() if name not in single}
    if single:
        yield _titled(path, _table(["", ""], [[name, _text(value)] for name, value in single.items()]))
    if nested and all(_is_row(value) for value in nested.values()):
        yield _titled(path, _matrix(nested))
        return
    for name, value in nested.items():
        if isinstance(value, list):
            value = dict(_name_item(each, number) for number, each in enumerate(value, start=1))
        yield from _tables(value, (*path, name))


def _is_leaf(value: Any) -> bool:
    """Return whether a value is a figure, a text, or the best and median of several measurements."""
    if isinstance(value, dict):
        return "best" in value and not any(isinstance(each, dict | list) for each in value.values())
    return not isinstance(value, list) or not any(isinstance(each, dict | list) for each in value)


def _is_row(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_leaf, value.values()))


def _matrix(rows: dict[str, dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    body = [[name, *(_text(row[column]) if column in row else "" for column in columns)] for name, row in rows.items()]
    return _table(["", *columns], body)


def _name_item(value: Any, number: int) -> tuple[str, Any]:
    """Name an item of a list by its first value, and remove that value: ``samples 256``."""
    if isinstance(value, dict) and value:
        name, first = next(iter(value.items()))
        if _is_leaf(first):
            return f"{name} {_text(first)}", {key: each for key, each in value.items() if key != name}
    return str(number), value


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _titled(path: tuple[str, ...], table: str) -> str:
    return f"**{', '.join(path)}**\n\n{table}" if path else table


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return _text(value["best"])
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
