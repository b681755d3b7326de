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


def read_labels(values: np.ndarray, classes: Sequence[str] | None) -> tuple[np.ndarray, list[str] | None]:
    """Return the targets of stored labels, and the names of the classes if they are known.

    Args:
        values: The labels (N,): class numbers from 0, or names.
        classes: The names of the classes in the order of their numbers.

    Raises:
        ValueError: The labels are neither numbers nor names, or do not fit the classes.
    """
    if values.ndim != 1:
        raise ValueError(f"the labels have the shape {values.shape}; they should be (N,)")
    if values.dtype.kind in "OSUT":
        texts = [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]
        names = list(classes or sort_classes(texts))
        return number_labels(texts, names), names
    if values.dtype.kind not in "iu":
        raise ValueError(f"the labels are {values.dtype}; they should be whole numbers or texts")
    targets = values.astype(np.int64)
    if targets.size and targets.min() < 0:
        raise ValueError(f"a label is {targets.min()}; classes are numbers from 0")
    if classes is not None and targets.size and targets.max() >= len(classes):
        raise ValueError(f"a label is {targets.max()}, and there are {len(classes)} classes, from 0")
    return targets, None if classes is None else list(classes)
