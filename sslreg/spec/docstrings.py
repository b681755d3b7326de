"""What docstrings say of parameters."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterable
from functools import partial
from typing import Any

#: A part of a docstring, with a heading of its own, that is about something other than parameters.
_OTHER_PART = re.compile(
    r"^(?!Args|Arguments|Parameters|Keyword)[A-Z][\w ]*:[ \t]*\n(?:[ \t]+\S.*\n?|\n)+", re.MULTILINE
)

#: Where a docstring turns to something else: ``Params: …``, ``ValueError: …``.
_ABOUT_ELSE = re.compile(r"(?:^[ \t]*|(?<=[.;] ))(?:Params|\w*Error): ", re.MULTILINE)


def descriptions(target: Any, names: list[str]) -> dict[str, str]:
    """What docstrings say of each parameter, as far as they name it: those of a class, its bases and constructors.

    Read are lines that begin with a name and a colon (``lr (float): learning rate``, ``:param lr: …``), and
    sentences that do (``size: pixels; ratio: width over height.``).
    """
    while isinstance(target, partial):
        target = target.func
    classes = target.__mro__[:-1] if inspect.isclass(target) else ()
    documented = [text for each in classes for text in (each, each.__dict__.get("__init__"))] or [target]
    found: dict[str, str] = {}
    for each in documented if names else ():
        if text := getattr(each, "__doc__", None):
            found = {**_described(inspect.cleandoc(text), names), **found}
    return found


def _described(text: str, names: Iterable[str]) -> dict[str, str]:
    name = "|".join(re.escape(name) for name in names)
    start = re.compile(
        rf"(?:^[ \t]*(?::param )?|(?<=[.;] ))((?:{name})(?:, (?:{name}))*)(?: \([^)\n]*\))?: *", re.MULTILINE
    )
    text = _OTHER_PART.sub("\n", text)
    marks = list(start.finditer(text))
    found: dict[str, str] = {}
    for mark, following in itertools.zip_longest(marks, marks[1:]):
        said = _ABOUT_ELSE.split(text[mark.end() : following.start() if following else None])[0]
        said = " ".join(re.split(r"\n[ \t]*\n", said)[0].split()).rstrip(";")
        for each in mark[1].split(", "):
            found.setdefault(each, said)
    return found
