"""What differs between two specs, as values rather than as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Stands for a value that is not there.
ABSENT: Any = object()


@dataclass(frozen=True)
class Change:
    """One value that differs. path: as ``--set`` writes it; before, after: `ABSENT` where one side lacks it."""

    path: str
    before: Any
    after: Any


def differences(before: Any, after: Any, path: str = "") -> Iterator[Change]:
    """The values that differ between two pieces of plain data, outermost first.

    Mappings are compared by key. Lists are compared item by item if they are of one length, and are one value if not,
    as an item that is added in front moves all others. A component that is another one is one change, since its
    parameters are then another's.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.get("use") == after.get("use"):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from differences(before.get(key, ABSENT), after.get(key, ABSENT), _below(path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, _below(path, number))
    elif type(before) is not type(after) or before != after:
        yield Change(path, before, after)


def _below(path: str, key: str | int) -> str:
    return f"{path}.{key}" if path else str(key)
