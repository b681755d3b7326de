"""Convert docstrings to Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: The heading of a section of a docstring, and its indented lines.
_SECTION = re.compile(
    r"^(Args|Attributes|Raises|Returns|Yields):\n((?:[ \t]+\S.*(?:\n|\Z)|\n(?=[ \t]))+)", re.MULTILINE
)


def to_markdown(text: str, *, omit: Iterable[str] = ()) -> str:
    """Return a docstring with its sections as lists.

    Args:
        text: a docstring without common indentation.
        omit: the headings of sections to leave out, such as ``Args``.
    """

    def convert(section: re.Match[str]) -> str:
        return "" if section[1] in omit else f"{section[1]}:\n\n{_list(section[2])}\n"

    converted = _SECTION.sub(convert, text)
    return re.sub(r"\n{3,}", "\n\n", converted).replace("``", "`").strip()


def _list(lines: str) -> str:
    """Return a list with one item for each entry ``name: text``, whose further lines are indented deeper."""
    first = re.match(r"[ \t]*", lines)
    indentation = first[0] if first else ""
    entries = re.split(rf"^{indentation}(?=\S)", lines, flags=re.MULTILINE)[1:]
    return "\n".join(f"* {_entry(' '.join(entry.split()))}" for entry in entries)


def _entry(text: str) -> str:
    return re.sub(r"\A(\*{0,2}\w+)( \([^)]*\))?: ", r"`\1`\2: ", text)
