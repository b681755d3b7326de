"""Compares two specs by their values instead of their text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Marks a value that is missing on one side.
ABSENT: Any = object()


@dataclass(frozen=True)
class Change:
    """A value that differs between two specs.

    Attributes:
        path: the path of the value, as ``--set`` takes it.
        before: the value in the first spec, or `ABSENT`.
        after: the value in the second spec, or `ABSENT`.
    """

    path: str
    before: Any
    after: Any


def find_changes(before: Any, after: Any, path: str = "") -> Iterator[Change]:
    """Yield the values that differ between two pieces of plain data, outermost first.

    Mappings are compared key by key, and lists of equal length item by item. Lists of different lengths are one change,
    since an inserted item moves all later ones. A component that is replaced by another is one change, since their
    parameters are unrelated.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.get("use") == after.get("use"):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from find_changes(before.get(key, ABSENT), after.get(key, ABSENT), _join(path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from find_changes(old, new, _join(path, index))
    elif type(before) is not type(after) or before != after:
        yield Change(path, before, after)


def _join(path: str, key: str | int) -> str:
    return f"{path}.{key}" if path else str(key)
