"""Extracts the descriptions of parameters from docstrings."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterable
from functools import partial
from typing import Any

#: A section of a docstring, with a heading, that is not about parameters.
_OTHER_SECTION = re.compile(
    r"^(?!Args|Arguments|Attributes|Parameters|Keyword)[A-Z][\w ]*:[ \t]*\n(?:[ \t]+\S.*\n?|\n)+", re.MULTILINE
)

#: The start of a passage that is not about a parameter: ``Params: …``, ``ValueError: …``.
_OTHER_SUBJECT = re.compile(r"(?:^[ \t]*|(?<=[.;] ))(?:Params|\w*Error): ", re.MULTILINE)


def parse_descriptions(target: Any, names: list[str]) -> dict[str, str]:
    """Return the descriptions of parameters in the docstrings of a class, its bases and their constructors.

    A description is a line, or a sentence, that starts with the name and a colon: ``lr (float): learning rate``,
    ``:param lr: …``, ``size: pixels; ratio: width over height.``

    Args:
        target: a class or a function.
        names: the parameters to look for.
    """
    while isinstance(target, partial):
        target = target.func
    classes = target.__mro__[:-1] if inspect.isclass(target) else ()
    documented = [item for cls in classes for item in (cls, cls.__dict__.get("__init__"))] or [target]
    descriptions: dict[str, str] = {}
    for item in documented if names else ():
        descriptions = {**_parse_docstring(read_docstring(item), names), **descriptions}
    return descriptions


def read_docstring(target: object) -> str:
    """Return the docstring of a class or a function; empty if it has none, or computes one and fails."""
    try:
        text = target.__doc__
    except Exception:  # noqa: BLE001 - the class may be that of any package
        return ""
    return inspect.cleandoc(text) if isinstance(text, str) else ""


def _parse_docstring(text: str, names: Iterable[str]) -> dict[str, str]:
    name = "|".join(re.escape(name) for name in names)
    start = re.compile(
        rf"(?:^[ \t]*(?::param )?|(?<=[.;] ))((?:{name})(?:, (?:{name}))*)(?: \([^)\n]*\))?: *", re.MULTILINE
    )
    text = _OTHER_SECTION.sub("\n", text)
    matches = list(start.finditer(text))
    descriptions: dict[str, str] = {}
    for match, following in itertools.zip_longest(matches, matches[1:]):
        passage = _OTHER_SUBJECT.split(text[match.end() : following.start() if following else None])[0]
        description = " ".join(re.split(r"\n[ \t]*\n", passage)[0].split()).rstrip(";")
        for parameter in match[1].split(", "):
            descriptions.setdefault(parameter, description)
    return descriptions
