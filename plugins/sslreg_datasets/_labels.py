"""Labels as texts to class numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def format_cell(value: Any) -> str:
    """Return a value as the text that a CSV file has for it, so that tables of all formats have the same classes."""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def sort_classes(names: Iterable[str]) -> list[str]:
    """Return distinct names of classes in order: by their values if all are whole numbers, else by their letters."""
    distinct = set(names)
    if all(name.removeprefix("-").isdecimal() for name in distinct):
        return sorted(distinct, key=lambda name: (int(name), name))
    return sorted(distinct)


def number_labels(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Return the class numbers (N,), int64, of labels.

    Raises:
        ValueError: A label is not among the classes.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    if unknown := next((label for label in labels if label not in numbers), None):
        raise ValueError(f"the label {unknown!r} is not among the classes {', '.join(map(repr, classes[:20]))}")
    return np.array([numbers[label] for label in labels], dtype=np.int64)
