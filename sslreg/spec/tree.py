"""A spec as a tree whose every value remembers where it was written. Trees are never changed, only remade."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

#: Where in the tree a value is: keys of mappings and places in lists.
At = tuple[str | int, ...]

#: More values, and deeper, than any spec has; what grows beyond is a mistake, or meant to exhaust memory.
MAX_NODES = 20_000
MAX_DEPTH = 60


def dotted(at: At) -> str:
    """The place as a person writes it: ``views.0.augment``."""
    return ".".join(str(part) for part in at)


@dataclass(frozen=True)
class Origin:
    """Where something is written; line and column count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True)
class Scalar:
    """A single value.

    environment: for a value from the environment, which may be secret, the reference as written
    (``${env:NAME}``); text: that value before it was read as YAML. broken: the value could not be made out, which has
    been reported.
    """

    value: bool | int | float | str | None
    origin: Origin
    environment: str | None = None
    text: str | None = None
    broken: bool = False


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    origin: Origin


@dataclass(frozen=True)
class Entries:
    """A mapping.

    keys: where each key is written. inherited: keys that came from a base with another ``use:``, with the
    component that they were written for.
    """

    entries: Mapping[str, Node]
    origin: Origin
    keys: Mapping[str, Origin]
    inherited: Mapping[str, str] = field(default_factory=dict)


Node = Scalar | Items | Entries


def plain(node: Node, secrets: bool = True) -> Any:
    """The tree as plain data. secrets: with the values of ``${env:…}``; otherwise the references stay."""
    match node:
        case Scalar():
            return node.value if secrets or node.environment is None else node.environment
        case Items():
            return [plain(item, secrets) for item in node.items]
        case Entries():
            return {key: plain(value, secrets) for key, value in node.entries.items()}


def item(node: Items, step: str) -> int | None:
    """The number of a list's item that a step of a path names; None if it names none."""
    number = int(step) if step.isdecimal() and len(step) < 10 else len(node.items)
    return number if number < len(node.items) else None


def nearest(root: Node, at: At) -> Node:
    """The node at a place, or the last one on the way there."""
    for step in at:
        match root:
            case Items() if isinstance(step, int) and step < len(root.items):
                root = root.items[step]
            case Entries() if step in root.entries:
                root = root.entries[str(step)]
            case _:
                break
    return root


def without(tree: Entries, places: Collection[At], at: At = ()) -> Entries:
    """The tree, found at `at`, without the keys of mappings at `places`."""

    def pruned(node: Node, at: At) -> Node:
        match node:
            case Items():
                return replace(node, items=tuple(pruned(item, (*at, number)) for number, item in enumerate(node.items)))
            case Entries():
                return without(node, places, at)
        return node

    staying = {key: value for key, value in tree.entries.items() if (*at, key) not in places}
    return replace(tree, entries={key: pruned(value, (*at, key)) for key, value in staying.items()})


def walk(node: Node, at: At = ()) -> Iterator[tuple[At, Node]]:
    """Every node of the tree with its place, parents first."""
    yield at, node
    match node:
        case Items():
            for number, item in enumerate(node.items):
                yield from walk(item, (*at, number))
        case Entries():
            for key, value in node.entries.items():
                yield from walk(value, (*at, key))


def shown(node: Node) -> str:
    """A value in a message: short, and without secrets."""
    match node:
        case Scalar(environment=str() as reference):
            return reference
        case Scalar(value=str() as text):
            return repr(text if len(text) <= 40 else text[:37] + "...")
        case Scalar(value=None):
            return "null"
        case Scalar(value=bool() as flag):
            return "true" if flag else "false"
        case Scalar():
            return f"{node.value}"[:40]
        case Items():
            text = f"[{', '.join(shown(item) for item in node.items[:20])}]"
            return text if len(text) <= 40 else "a list"
        case Entries():
            return "a mapping"
