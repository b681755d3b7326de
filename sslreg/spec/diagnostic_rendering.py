"""Renders diagnostics for terminals, with their source lines, and for GitHub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rich.cells import cell_len
from rich.text import Text

from sslreg.errors import Diagnostic
from sslreg.spec.yaml_parser import split_lines

_COLORS = {"error": "red", "warning": "yellow"}

#: The part of a source line that is shown, in characters.
_WIDTH = 110

_WORD = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|[^\s,:={}\[\]]+")


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> Text:
    """Render diagnostics as colored text, each with its source line and a caret.

    Args:
        diagnostics: the diagnostics to render.
        sources: the contents of the files that they refer to, by file name, as far as known.
    """
    return Text("\n\n").join(_render_one(diagnostic, sources) for diagnostic in diagnostics)


def _render_one(diagnostic: Diagnostic, sources: Mapping[str, str]) -> Text:
    color = _COLORS[diagnostic.severity]
    text = Text.assemble(
        (diagnostic.severity, f"bold {color}"), (f"[{diagnostic.code}]", color), (f": {diagnostic.message}", "bold")
    )
    position = (diagnostic.file, diagnostic.line, diagnostic.column)
    location = ":".join(str(part) for part in position if part is not None)
    margin = len(str(diagnostic.line or ""))
    if location:
        text.append(f"\n{' ' * margin}--> ", "blue").append(location)
    source = sources.get(diagnostic.file or "")
    lines = split_lines(source) if source else []
    if diagnostic.line is not None and diagnostic.line <= len(lines):
        line, column = _crop_line(lines[diagnostic.line - 1], diagnostic.column or 1)
        word = _WORD.match(line, column - 1)
        text.append(f"\n{diagnostic.line} | ", "blue").append(line)
        text.append(f"\n{' ' * margin} | ", "blue").append(" " * cell_len(line[: column - 1]))
        text.append("^" * max(1, cell_len(word[0]) if word else 1), f"bold {color}")
    if diagnostic.hint:
        text.append(f"\n{' ' * margin} = ", "blue").append("hint: ", "cyan").append(diagnostic.hint)
    return text


def _crop_line(line: str, column: int) -> tuple[str, int]:
    """Return the part of a line around a column, with spaces for control characters, and the column in that part."""
    line = "".join(character if character.isprintable() else " " for character in line)
    start = max(0, min(column - _WIDTH // 2, len(line) - _WIDTH))
    before, after = "…" if start else "", "…" if start + _WIDTH < len(line) else ""
    return f"{before}{line[start : start + _WIDTH]}{after}", column - start + len(before)


def format_for_github(diagnostic: Diagnostic) -> str:
    """Format a diagnostic as a workflow command, which GitHub shows at the line in a pull request."""
    fields = {"file": diagnostic.file, "line": diagnostic.line, "col": diagnostic.column, "title": diagnostic.code}
    properties = ",".join(f"{key}={_escape(str(value), ',:')}" for key, value in fields.items() if value is not None)
    message = f"{diagnostic.message}\nhint: {diagnostic.hint}" if diagnostic.hint else diagnostic.message
    return f"::{diagnostic.severity} {properties}::{_escape(message)}"


def _escape(text: str, more: str = "") -> str:
    return "".join(f"%{ord(character):02X}" if character in f"%\r\n{more}" else character for character in text)
