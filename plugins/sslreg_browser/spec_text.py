"""Edits of the text of a spec."""

from __future__ import annotations

from typing import Any

import yaml

import sslreg
from sslreg_browser import yaml_edits

#: Keys and indices that lead to a value.
KeyPath = tuple[str | int, ...]


def replace_views(text: str, before: list[Any], after: list[Any]) -> str | None:
    """Return the text of a spec with other views.

    Args:
        text: The text.
        before: The views of the spec. The spec may inherit them.
        after: The views to write.

    Returns:
        The text, or None if the views in it cannot be replaced, for example because all of it is on one line.
    """
    # A text that cannot be edited in place, for example because of an alias, loses the comments within its views.
    for known in ({"views": before}, {}):
        result = yaml_edits.edit(text, known, {"views": after})
        if result is not None and _has_views(result, after):
            return result
    return None


def rename(text: str, name: str) -> str:
    """Return the text of a spec with another name, and without the metrics that the spec was expected to reach."""
    content = sslreg.load_yaml(text)
    before = {key: content[key] for key in ("name", "expect") if key in content}
    result = yaml_edits.edit(text, before, {"name": name})
    assert result is not None
    return result


def find_path(text: str, line: int, column: int) -> KeyPath:
    """Return the path of the innermost value at a position of a text; line and column are counted from 1."""
    try:
        node = yaml_edits.compose(text)
    except yaml.YAMLError:
        return ()
    position = line - 1, column - 1
    path: KeyPath = ()
    while node is not None:
        node, step = _find_child(node, position)
        path = (*path, *step)
    return path


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


def _has_views(text: str, views: list[Any]) -> bool:
    """Return whether a text is that of a spec with these views."""
    try:
        written = sslreg.load_yaml(text)
    except (yaml.YAMLError, ValueError):
        return False
    return isinstance(written, dict) and _matches(written.get("views"), views)


def _matches(written: Any, wanted: Any) -> bool:
    """Return whether a value in a text is the wanted one; a reference matches any value."""
    if isinstance(written, str) and "${" in written:
        return True
    if isinstance(written, dict) and isinstance(wanted, dict):
        return written.keys() == wanted.keys() and all(_matches(written[key], wanted[key]) for key in written)
    if isinstance(written, list) and isinstance(wanted, list):
        return len(written) == len(wanted) and all(map(_matches, written, wanted))
    return bool(written == wanted)
