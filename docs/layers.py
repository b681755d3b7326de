"""Draw the layers that import-linter enforces: ``python docs/layers.py``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PICTURE = DOCS / "images" / "layers.svg"
WIDTH, LABEL, ROW, GAP = 940, 180, 38, 8

STYLE = """
text { font: 15px system-ui, sans-serif; fill: #1d2530; text-anchor: middle; dominant-baseline: central }
.title { font-weight: 600; text-anchor: start }
.note { font-size: 12px; fill: #5b6675; text-anchor: start }
rect { fill: #dce8f6; stroke: #1f5fa8; rx: 6px }
.plugin rect { fill: #fbe6da; stroke: #c2541b }
.inner rect { fill: #eef3f9 }
@media (prefers-color-scheme: dark) {
  text { fill: #e8edf4 } .note { fill: #a9b4c2 }
  rect { fill: #203a5a; stroke: #6fa8e8 } .plugin rect { fill: #57331f; stroke: #e8956b } .inner rect { fill: #1b2a3d }
}
"""


@dataclass
class Row:
    """A row of boxes: modules that may not import each other, and a note at the right."""

    names: list[str]
    note: str = ""
    style: str = "core"


@dataclass
class Stack:
    """The rows of one contract, from the highest layer down."""

    title: str
    rows: list[Row]


def read_stacks() -> list[Stack]:
    """Return the plugins and then each contract of type `layers` in pyproject.toml."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    plugins = sorted(project["project"]["entry-points"]["sslreg"].values())
    stacks = [Stack("Default plugins: each imports the public names of sslreg", list(_plugin_rows(plugins)))]
    for contract in (each for each in contracts if each["type"] == "layers"):
        for container in contract.get("containers", [""]):
            style = "core" if container == "sslreg" else "inner"
            rows = [_row(layer, container, contracts, style) for layer in contract["layers"]]
            stacks.append(Stack(f"{container}: {contract['name'][:1].lower()}{contract['name'][1:]}", rows))
    return stacks


def _plugin_rows(plugins: list[str]) -> Iterator[Row]:
    columns = (len(plugins) + 1) // 2
    for start in range(0, len(plugins), columns):
        yield Row([name.removeprefix("sslreg_") for name in plugins[start : start + columns]], style="plugin")


def _row(layer: str, container: str, contracts: Iterable[dict[str, Any]], style: str) -> Row:
    names = [name.strip(" ()") for name in layer.replace(":", "|").split("|")]
    forbidden = {
        module
        for contract in contracts
        if contract["type"] == "forbidden"
        and {f"{container}.{name}" for name in names} <= set(contract["source_modules"])
        for module in contract["forbidden_modules"]
        if not module.startswith("sslreg")
    }
    shown = [module for module in ("torch", "lightning") if module in forbidden]
    return Row(names, f"without {' and '.join(shown)}" if shown else "", style)


def draw(stacks: Iterable[Stack]) -> str:
    """Return the picture as SVG."""
    parts: list[str] = []
    y = 20
    for stack in stacks:
        parts.append(f'<text class="title" x="10" y="{y}">{escape(stack.title)}</text>')
        y += 20
        for row in stack.rows:
            parts += _boxes(row, y)
            y += ROW + GAP
        y += 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img">\n'
        f"<title>The layers of sslreg, each of which imports only the layers below it</title>\n"
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _boxes(row: Row, y: int) -> Iterator[str]:
    space = WIDTH - 20 - (0 if row.style == "plugin" else LABEL)
    width = (space - GAP * (len(row.names) - 1)) / len(row.names)
    yield f'<g class="{row.style}">'
    for number, name in enumerate(row.names):
        x = 10 + number * (width + GAP)
        yield f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW}"/>'
        yield f'<text x="{x + width / 2:.1f}" y="{y + ROW // 2}">{escape(name)}</text>'
    if row.note:
        yield f'<text class="note" x="{WIDTH - LABEL}" y="{y + ROW // 2}">{escape(row.note)}</text>'
    yield "</g>"


if __name__ == "__main__":
    PICTURE.write_text(draw(read_stacks()), encoding="utf-8")
