"""The tree of a parsed spec. Each node knows where it was written. Nodes are immutable."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

#: The path to a node: keys of mappings and indices of sequences.
KeyPath = tuple[str | int, ...]

#: Limits that no sensible spec reaches. A larger one is a mistake, or an attempt to exhaust memory.
MAX_NODES = 20_000
MAX_DEPTH = 60


def format_path(path: KeyPath) -> str:
    """Format a path as users write it: ``views.0.augment``."""
    return ".".join(str(key) for key in path)


@dataclass(frozen=True)
class Location:
    """A position in a file; line and column are counted from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True)
class ScalarNode:
    """A single value.

    Attributes:
        value: the value.
        location: where it is written.
        env_reference: the reference ``${env:NAME}`` if the value comes from the environment; the value may be secret.
        env_text: the environment variable's text, before it is parsed as a YAML scalar.
        invalid: whether the value could not be read; the reason has been reported already.
    """

    value: bool | int | float | str | None
    location: Location
    env_reference: str | None = None
    env_text: str | None = None
    invalid: bool = False


@dataclass(frozen=True)
class SequenceNode:
    """A list of nodes."""

    items: tuple[Node, ...]
    location: Location


@dataclass(frozen=True)
class MappingNode:
    """A mapping from keys to nodes.

    Attributes:
        entries: the values by key.
        location: where the mapping starts.
        key_locations: where each key is written.
        inherited: keys that were written for another component than the one that `use` names now, with that component.
    """

    entries: Mapping[str, Node]
    location: Location
    key_locations: Mapping[str, Location]
    inherited: Mapping[str, str] = field(default_factory=dict)


Node = ScalarNode | SequenceNode | MappingNode


def to_python(node: Node, secrets: bool = True) -> Any:
    """Convert a tree to dicts, lists and scalars.

    Args:
        node: the root of the tree.
        secrets: whether to include values from the environment; otherwise their references are kept as written.
    """
    match node:
        case ScalarNode():
            return node.value if secrets or node.env_reference is None else node.env_reference
        case SequenceNode():
            return [to_python(item, secrets) for item in node.items]
        case MappingNode():
            return {key: to_python(value, secrets) for key, value in node.entries.items()}


def parse_index(node: SequenceNode, text: str) -> int | None:
    """Return the index of the item that `text` names in a path, or None if there is no such item."""
    index = int(text) if text.isdecimal() and len(text) < 10 else len(node.items)
    return index if index < len(node.items) else None


def find_nearest(root: Node, path: KeyPath) -> Node:
    """Return the node at a path, or its nearest existing ancestor."""
    for key in path:
        match root:
            case SequenceNode() if isinstance(key, int) and key < len(root.items):
                root = root.items[key]
            case MappingNode() if key in root.entries:
                root = root.entries[str(key)]
            case _:
                break
    return root


def remove_keys(tree: MappingNode, paths: Collection[KeyPath], path: KeyPath = ()) -> MappingNode:
    """Return a copy of the tree, whose root is at `path`, without the keys of mappings at `paths`."""

    def prune(node: Node, path: KeyPath) -> Node:
        match node:
            case SequenceNode():
                return replace(node, items=tuple(prune(item, (*path, index)) for index, item in enumerate(node.items)))
            case MappingNode():
                return remove_keys(node, paths, path)
        return node

    kept = {key: value for key, value in tree.entries.items() if (*path, key) not in paths}
    return replace(tree, entries={key: prune(value, (*path, key)) for key, value in kept.items()})


def walk(node: Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
    """Yield every node with its path, parents before children."""
    yield path, node
    match node:
        case SequenceNode():
            for index, item in enumerate(node.items):
                yield from walk(item, (*path, index))
        case MappingNode():
            for key, value in node.entries.items():
                yield from walk(value, (*path, key))


def format_node(node: Node) -> str:
    """Format a value for a message: short, and without secrets."""
    match node:
        case ScalarNode(env_reference=str() as reference):
            return reference
        case ScalarNode(value=str() as text):
            return repr(text if len(text) <= 40 else text[:37] + "...")
        case ScalarNode(value=None):
            return "null"
        case ScalarNode(value=bool() as flag):
            return "true" if flag else "false"
        case ScalarNode():
            return f"{node.value}"[:40]
        case SequenceNode():
            text = f"[{', '.join(format_node(item) for item in node.items[:20])}]"
            return text if len(text) <= 40 else "a list"
        case MappingNode():
            return "a mapping"
