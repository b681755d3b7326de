"""Edits the text of a spec, so that comments and everything else that has not changed stay as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

import sslreg

#: The largest width of an operation that is written on one line.
_WIDTH = 110

#: Keys and indices that lead to a value.
KeyPath = tuple[str | int, ...]


@dataclass
class _KeptText:
    """The parts of a text that are written as they were.

    Attributes:
        operations: The lines of each operation, with the comments above it, by its value as JSON.
        comments: The comments above each view.
    """

    operations: dict[str, list[str]] = field(default_factory=dict)
    comments: list[list[str]] = field(default_factory=list)


def replace_views(text: str, before: list[Any], after: list[Any]) -> str | None:
    """Return the text of a spec with other views.

    Args:
        text: The text.
        before: The views of the spec. The spec may inherit them.
        after: The views to write.

    Returns:
        The text, or None if the views in it cannot be replaced, for example because all of it is on one line.
    """
    root = _compose(text)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    lines = text.splitlines()
    node = _find_value(root, "views")
    kept = _KeptText() if node is None else _find_kept_text(node, lines, before)
    replaced = _replace_key(lines, root, "views", ["views:", *_format_views(after, kept)])
    result = "\n".join(replaced) + "\n"
    try:
        written = sslreg.load_yaml(result)
    except (yaml.YAMLError, ValueError):
        return None
    return result if isinstance(written, dict) and _matches(written.get("views"), after) else None


def rename(text: str, name: str) -> str:
    """Return the text of a spec with another name, and without the metrics that the spec was expected to reach."""
    root = _compose(text)
    assert isinstance(root, yaml.MappingNode)
    lines = _replace_key(text.splitlines(), root, "expect", [])
    root = _compose("\n".join(lines))
    assert isinstance(root, yaml.MappingNode)
    return "\n".join(_replace_key(lines, root, "name", [_format_flow({"name": name})[1:-1]])) + "\n"


def find_path(text: str, line: int, column: int) -> KeyPath:
    """Return the path of the innermost value at a position of a text; line and column are counted from 1."""
    try:
        node = _compose(text)
    except yaml.YAMLError:
        return ()
    position = line - 1, column - 1
    path: KeyPath = ()
    while node is not None:
        node, step = _find_child(node, position)
        path = (*path, *step)
    return path


def _compose(text: str) -> yaml.Node | None:
    """Return the tree of a text."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    node: yaml.Node | None = yaml.compose(text, Loader=loader)
    return node


def _find_child(node: yaml.Node, position: tuple[int, int]) -> tuple[yaml.Node | None, KeyPath]:
    """Return the child of a node that contains a position, with its key or index; None if no child does."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if _mark(key.start_mark) <= position < _mark(value.end_mark):
                return value, (key.value,)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            if _mark(item.start_mark) <= position < _mark(item.end_mark):
                return item, (index,)
    return None, ()


def _mark(mark: yaml.Mark) -> tuple[int, int]:
    return mark.line, mark.column


def _find_value(root: yaml.MappingNode, name: str) -> yaml.Node | None:
    return next((value for key, value in root.value if key.value == name), None)


def _find_last_line(node: yaml.Node) -> int:
    """Return the number of the last line with content of a node."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _find_last_line(last[1] if isinstance(last, tuple) else last)
    end: yaml.Mark = node.end_mark
    return end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line


def _replace_key(lines: Sequence[str], root: yaml.MappingNode, name: str, new: Sequence[str]) -> list[str]:
    """Return lines with new ones in place of a key at the top level; a missing key is added after `version`."""
    spans = {key.value: (key.start_mark.line, _find_last_line(value)) for key, value in root.value}
    if name in spans:
        first, last = spans[name]
        return [*lines[:first], *new, *lines[last + 1 :]]
    if name == "name" and "version" in spans:
        at = spans["version"][1] + 1
        return [*lines[:at], *new, *lines[at:]]
    return [*lines, *new]


def _find_kept_text(node: yaml.Node, lines: list[str], views: list[Any]) -> _KeptText:
    kept = _KeptText()
    for index, (view, above, _) in enumerate(_list_items(node, lines)):
        kept.comments.append(above)
        augment = _find_value(view, "augment") if isinstance(view, yaml.MappingNode) else None
        values = views[index].get("augment", []) if index < len(views) else []
        if augment is not None and len(augment.value) == len(values):
            for value, (_, comments, own) in zip(values, _list_items(augment, lines), strict=False):
                kept.operations[_make_key(value)] = [*comments, *own]
    return kept


def _list_items(node: yaml.Node, lines: list[str]) -> Iterator[tuple[yaml.Node, list[str], list[str]]]:
    """Yield each item of a list in block style with the comments above it and its lines, without indentation."""
    if not isinstance(node, yaml.SequenceNode) or node.flow_style:
        return
    end = None
    for item in node.value:
        first, last = item.start_mark.line, _find_last_line(item)
        indent = lines[first][: item.start_mark.column].rfind("-")
        if indent < 0:  # the dash is on a line above
            return
        start = first
        while start > (0 if end is None else end + 1) and lines[start - 1].strip().startswith("#"):
            start -= 1
        comments = [line.strip() for line in lines[start:first]]
        yield item, comments, [line[indent:] for line in lines[first : last + 1]]
        end = last


def _format_views(views: Sequence[Mapping[str, Any]], kept: _KeptText) -> Iterator[str]:
    for index, view in enumerate(views):
        for comment in kept.comments[index] if index < len(kept.comments) else ():
            yield f"  {comment}"
        lines: list[str] = []
        for key, value in view.items():
            if key != "augment" or not value:
                lines.append(_format_flow({key: value})[1:-1])
                continue
            lines.append("augment:")
            for operation in value:
                lines += [f"  {line}" for line in _format_operation(operation, kept)]
        yield from (f"{'    ' if number else '  - '}{line}" for number, line in enumerate(lines or ["{}"]))


def _format_operation(operation: Any, kept: _KeptText | None = None) -> list[str]:
    """Return the lines of an operation as an item of a list; a long one has a line for each key."""
    as_before = kept and kept.operations.get(_make_key(operation))
    if as_before:
        return as_before
    line = f"- {_format_flow(operation)}"
    if len(line) <= _WIDTH or not isinstance(operation, Mapping):
        return [line]
    lines: list[str] = []
    for key, value in operation.items():
        is_nested = isinstance(value, list) and any(isinstance(item, Mapping) for item in value)
        if not is_nested:
            lines.append(_format_flow({key: value})[1:-1])
            continue
        lines.append(f"{key}:")
        lines += [f"  {nested}" for item in value for nested in _format_operation(item)]
    return [f"{'  ' if number else '- '}{line}" for number, line in enumerate(lines)]


def _make_key(operation: Any) -> str:
    """Return a text that is equal for equal operations. JSON does not distinguish 1.0 from 1."""

    def simplify(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: simplify(item) for key, item in value.items()}
        if isinstance(value, list):
            return [simplify(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return json.dumps(simplify(operation))


def _format_flow(value: Any) -> str:
    return sslreg.dump_yaml(value, flow=True).strip()


def _matches(written: Any, wanted: Any) -> bool:
    """Return whether a value in a text is the wanted one; a reference matches any value."""
    if isinstance(written, str) and "${" in written:
        return True
    if isinstance(written, dict) and isinstance(wanted, dict):
        return written.keys() == wanted.keys() and all(_matches(written[key], wanted[key]) for key in written)
    if isinstance(written, list) and isinstance(wanted, list):
        return len(written) == len(wanted) and all(map(_matches, written, wanted))
    return bool(written == wanted)
