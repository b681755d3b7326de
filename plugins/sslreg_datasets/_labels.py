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


#: The target of a sample: its class number, or which of C labels it has (C,), bool.
Target = int | np.ndarray


def target_of(targets: np.ndarray | None, index: int) -> Target | None:
    """Return the target of a sample from class numbers (N,) or labels (N, C); None without any."""
    if targets is None:
        return None
    return int(targets[index]) if targets.ndim == 1 else np.array(targets[index])


def number_labels(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Return the class numbers (N,), int64, of labels.

    Raises:
        ValueError: A label is not among the classes.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    unknown = next((label for label in labels if label not in numbers), None)
    if unknown is not None:
        raise ValueError(f"the label {unknown!r} is not among the classes {', '.join(map(repr, classes[:20]))}")
    return np.array([numbers[label] for label in labels], dtype=np.int64)


def mark_labels(labels: Iterable[Iterable[str]], classes: Sequence[str]) -> np.ndarray:
    """Return which classes (N, C), bool, each of N samples with any number of labels has.

    Raises:
        ValueError: A label is not among the classes.
    """
    rows = [number_labels(list(own), classes) for own in labels]
    marked = np.zeros((len(rows), len(classes)), dtype=bool)
    for row, numbers in enumerate(rows):
        marked[row, numbers] = True
    return marked


def read_labels(values: np.ndarray, classes: Sequence[str] | None) -> tuple[np.ndarray, list[str] | None]:
    """Return the targets of stored labels, and the names of the classes if they are known.

    Args:
        values: The labels (N,): class numbers from 0, or names; or 0 and 1 for each of C classes (N, C).
        classes: The names of the classes in the order of their numbers.

    Raises:
        ValueError: The labels are neither numbers nor names, or do not fit the classes.
    """
    if values.ndim == 2 and values.dtype.kind in "biu":
        if not np.isin(values, (0, 1)).all():
            raise ValueError("labels (N, C) should be 0 or 1 for each of C classes")
        if classes is not None and len(classes) != values.shape[1]:
            raise ValueError(f"the labels are for {values.shape[1]} classes, and there are {len(classes)} names")
        return values.astype(bool), None if classes is None else list(classes)
    if values.ndim != 1:
        raise ValueError(f"the labels have the shape {values.shape}; they should be (N,), or (N, C) of 0 and 1")
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
