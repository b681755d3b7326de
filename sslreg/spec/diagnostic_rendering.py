"""Shows findings to people, with the line that they are about, and to CI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rich.cells import cell_len
from rich.text import Text

from sslreg.errors import Diagnostic
from sslreg.spec.yaml_parser import lines_of

_COLORS = {"error": "red", "warning": "yellow"}

#: Wider source lines are shown around the place that matters.
_WIDTH = 110

_WORD = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|[^\s,:={}\[\]]+")


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> Text:
    """The findings as text in color, each with its source line and a caret.

    sources: the texts of the files that they point into, as far as they are at hand.
    """
    return Text("\n\n").join(_finding(diagnostic, sources) for diagnostic in diagnostics)


def _finding(found: Diagnostic, sources: Mapping[str, str]) -> Text:
    color = _COLORS[found.severity]
    text = Text.assemble((found.severity, f"bold {color}"), (f"[{found.code}]", color), (f": {found.message}", "bold"))
    place = ":".join(str(part) for part in (found.file, found.line, found.column) if part is not None)
    margin = len(str(found.line or ""))
    if place:
        text.append(f"\n{' ' * margin}--> ", "blue").append(place)
    source = sources.get(found.file or "")
    lines = lines_of(source) if source else []
    if found.line is not None and found.line <= len(lines):
        line, column = _window(lines[found.line - 1], found.column or 1)
        word = _WORD.match(line, column - 1)
        text.append(f"\n{found.line} | ", "blue").append(line)
        text.append(f"\n{' ' * margin} | ", "blue").append(" " * cell_len(line[: column - 1]))
        text.append("^" * max(1, cell_len(word[0]) if word else 1), f"bold {color}")
    if found.hint:
        text.append(f"\n{' ' * margin} = ", "blue").append("hint: ", "cyan").append(found.hint)
    return text


def _window(line: str, column: int) -> tuple[str, int]:
    """The part of a line around a column, without control characters, and the column in it."""
    line = "".join(character if character.isprintable() else " " for character in line)
    start = max(0, min(column - _WIDTH // 2, len(line) - _WIDTH))
    before, after = "…" if start else "", "…" if start + _WIDTH < len(line) else ""
    return f"{before}{line[start : start + _WIDTH]}{after}", column - start + len(before)


def as_github(found: Diagnostic) -> str:
    """The finding as a workflow command, which GitHub shows beside the line."""
    place = {"file": found.file, "line": found.line, "col": found.column, "title": found.code}
    properties = ",".join(f"{key}={_escape(str(value), ',:')}" for key, value in place.items() if value is not None)
    message = f"{found.message}\nhint: {found.hint}" if found.hint else found.message
    return f"::{found.severity} {properties}::{_escape(message)}"


def _escape(text: str, more: str = "") -> str:
    return "".join(f"%{ord(character):02X}" if character in f"%\r\n{more}" else character for character in text)
