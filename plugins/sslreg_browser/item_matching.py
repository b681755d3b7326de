"""Matches the items of a list with those that it had before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def match_items(before: Sequence[Any], after: Sequence[Any]) -> list[int | None]:
    """Return for each item the number of the item that it was before; None for a new one.

    Equal items are matched first, and then, among those with the same ``use``, the most similar ones.
    """
    unused: dict[str, list[int]] = {}
    for number, value in enumerate(before):
        unused.setdefault(make_key(value), []).append(number)
    found: list[int | None] = []
    for value in after:
        numbers = unused.get(make_key(value), [])
        found.append(numbers.pop(0) if numbers else None)
    rest = sorted(number for numbers in unused.values() for number in numbers)
    for place, value in enumerate(after):
        if found[place] is None and isinstance(value, Mapping):
            alike = [number for number in rest if _are_alike(before[number], value)]
            if alike:
                best = max(alike, key=lambda number: (_similarity(before[number], value), -abs(number - place)))
                found[place] = best
                rest.remove(best)
    return found


def _are_alike(one: Any, other: Mapping[str, Any]) -> bool:
    return isinstance(one, Mapping) and one.get("use") == other.get("use")


def _similarity(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Return the number of keys with equal values; lists count by the share of their items that are in both."""
    total = 0.0
    for key in one.keys() & other.keys():
        pair = one[key], other[key]
        if all(isinstance(value, list) for value in pair):
            first, second = ({make_key(item) for item in value} for value in pair)
            total += len(first & second) / max(len(first | second), 1)
        else:
            total += pair[0] == pair[1]
    return total


def make_key(value: Any) -> str:
    """Return a text that is equal for equal values. JSON does not distinguish 1.0 from 1."""

    def simplify(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: simplify(item) for key, item in value.items()}
        if isinstance(value, list):
            return [simplify(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return json.dumps(simplify(value), default=repr)
