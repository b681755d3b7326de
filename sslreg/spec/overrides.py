"""Applies ``--set`` overrides: ``a.b.0.c=VALUE``."""

from __future__ import annotations

from dataclasses import replace

from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.extends import inherited_keys
from sslreg.spec.tree import (
    MAX_DEPTH,
    KeyPath,
    Location,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    find_nearest,
    format_node,
    format_path,
    parse_index,
)
from sslreg.spec.yaml_parser import parse, split_lines

#: The file name of diagnostics about the arguments of ``--set``. Its lines are the arguments.
ARGUMENTS = "--set"


def apply_override(root: MappingNode, argument: str, diagnostics: DiagnosticCollector) -> MappingNode:
    """Return the tree with one ``a.b.0.c=VALUE`` applied."""
    before = diagnostics.sources.get(ARGUMENTS, "")
    diagnostics.sources[ARGUMENTS] = f"{before}{argument}\n"
    start = Location(ARGUMENTS, len(split_lines(before)), 1)
    path, equals, text = argument.partition("=")
    steps, column = [], 1
    for key in path.split("."):
        steps.append((key.strip(), replace(start, column=column)))
        column += len(key) + 1
    if not equals or not all(key for key, _ in steps) or len(steps) > MAX_DEPTH:
        message = f"--set {argument!r} is not of the form path.to.key=VALUE"
        diagnostics.report(start, "override", message, "write --set path.to.key=VALUE")
        return root
    value_start = replace(start, column=column)
    value = parse(text, value_start, diagnostics) or ScalarNode(None, value_start)
    changed = _set_value(root, steps, value, (), diagnostics)
    return changed if isinstance(changed, MappingNode) else root


def _set_value(
    node: Node | None,
    steps: list[tuple[str, Location]],
    value: Node,
    path: KeyPath,
    diagnostics: DiagnosticCollector,
) -> Node:
    """Return a copy of `node`, which is at `path`, with `value` where `steps` lead."""
    if not steps:
        return value
    (key, location), *rest = steps
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        node = MappingNode({}, location, {})
    if isinstance(node, ScalarNode):
        message = f"{format_path(path)} is {format_node(node)}; it has no key {key!r}"
        diagnostics.report(location, "override", message)
        return node
    if isinstance(node, SequenceNode):
        index = parse_index(node, key)
        if index is None:
            message = f"{format_path(path)} is a list and has no item {key!r}"
            diagnostics.report(location, "override", message, _valid_indices(node))
            return node
        items = list(node.items)
        items[index] = _set_value(items[index], rest, value, (*path, index), diagnostics)
        return replace(node, items=tuple(items))
    changed = _set_value(node.entries.get(key), rest, value, (*path, key), diagnostics)
    key_location = node.key_locations.get(key, location) if rest else location
    over = MappingNode({key: changed}, node.location, {key: key_location})
    return MappingNode(
        {**node.entries, **over.entries},
        node.location,
        {**node.key_locations, **over.key_locations},
        inherited_keys(node, over),
    )


def _valid_indices(node: SequenceNode) -> str:
    last = len(node.items) - 1
    return f"valid items are 0 to {last}" if last > 0 else "its only item is 0" if last == 0 else "the list is empty"


def locate(tree: MappingNode, *paths: KeyPath) -> Location:
    """Return the location of the first path that an override has written, or else of the first."""
    locations = [find_nearest(tree, path).location for path in paths]
    return next((location for location in locations if location.file == ARGUMENTS), locations[0])
