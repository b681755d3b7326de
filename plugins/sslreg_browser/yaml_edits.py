"""Edits of a YAML text: changed data are written into it, and comments, order and layout of everything else stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import yaml

import sslreg
from sslreg_browser.item_matching import make_key, match_items

#: The largest width of an item that is written on one line.
_WIDTH = 110


def edit(text: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    """Return a text with other data.

    Items of a list keep their comments when they move or change, and lose them when they are removed. A comment belongs
    to the item or key below it, or on its line.

    Args:
        text: A mapping in block style.
        before: Data of the text, by the keys at the top level. They may be inherited, and then not be in the text.
        after: The data to write. Keys of the text that are in neither stay as they are.

    Returns:
        The text, or None if it is not a mapping in block style, or so unusual that it cannot be edited.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    editor = _Editor(text.replace("\r\n", "\n"))
    try:
        edited = editor.edit(before, after)
    except _UnusualLayoutError:
        return None
    return edited if newline == "\n" else edited.replace("\n", newline)


def compose(text: str) -> yaml.Node | None:
    """Return the tree of a text."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    node: yaml.Node | None = yaml.compose(text, Loader=loader)
    return node


class _UnusualLayoutError(Exception):
    """The text has a layout that cannot be edited."""


@dataclass(frozen=True)
class _Item:
    """An item of a list in a text.

    Attributes:
        node: Its node.
        value: Its value.
        head: The text from the end of the item above to its start: comments, indentation and the dash.
        tail: The text after it on its last line.
        indent: The number of spaces before the dash.
    """

    node: yaml.Node
    value: Any
    head: str
    tail: str
    indent: int


class _Editor:
    def __init__(self, text: str) -> None:
        self._text = text
        self._root = compose(text)
        #: All items of lists in block style, by `make_key` of their values.
        self._items: dict[str, _Item] = {}

    def edit(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
        root = self._root
        if not isinstance(root, yaml.MappingNode) or root.flow_style:
            raise _UnusualLayoutError
        self._note_items(root, before)
        start, end = root.start_mark.index, self._end(root)
        tail = self._text[self._line_end(end) :]
        return self._text[:start] + self._render_block_mapping(root, before, after) + (tail or "\n")

    def _note_items(self, node: yaml.Node, value: Any) -> None:
        """Note all items of lists in block style below a node."""
        if isinstance(node, yaml.MappingNode) and isinstance(value, Mapping):
            for key, child in node.value:
                if key.value not in value:
                    continue
                if _is_block_list(child) and len(child.value) == len(value[key.value]):
                    for item in self._read_items(key, child, value[key.value]):
                        self._items.setdefault(make_key(item.value), item)
                        self._note_items(item.node, item.value)

    # Rendering: each method returns the text that a node has with another value.

    def _render(self, node: yaml.Node, before: Any, after: Any) -> str:
        if make_key(before) == make_key(after):
            return self._text[node.start_mark.index : self._end(node)]
        if isinstance(node, yaml.MappingNode) and isinstance(before, Mapping) and isinstance(after, Mapping):
            if not node.flow_style:
                return self._render_block_mapping(node, before, after)
            if after:
                return self._render_flow_mapping(node, before, after)
        if isinstance(node, yaml.SequenceNode) and node.flow_style and _have_mappings(before, after):
            return self._render_flow_list(node, before, after)
        return format_flow(after)

    def _render_block_mapping(self, node: yaml.MappingNode, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
        indent = node.start_mark.column
        entries: list[str] = []
        above = node.start_mark.index
        for key, value in node.value:
            end = self._line_end(self._end(value))
            whole = self._text[above:end]
            name = key.value
            if name not in after:
                entries += [whole] if name not in before else []
            elif name in before and make_key(before[name]) == make_key(after[name]):
                entries.append(whole)
            else:
                # Another value than the text has is written anew: it was inherited or overridden.
                old = before.get(name, _Missing)
                entries.append(self._render_entry(above, key, value, old, after[name]))
            above = end
        present = {key.value for key, _ in node.value}
        for name, value in after.items():
            if name not in present and not (name in before and make_key(before[name]) == make_key(value)):
                entries += [f"\n{' ' * indent}{line}" for line in format_entry(name, value)]
        if not entries:
            return "{}"
        # The first key stands behind a dash, or at the start of the text.
        return entries[0].lstrip("\n ") + "".join(entries[1:])

    def _render_entry(self, above: int, key: yaml.Node, value: yaml.Node, before: Any, after: Any) -> str:
        """Return the text of a key and its value from `above`, where the entry above ends."""
        colon = self._text.index(":", key.end_mark.index) + 1
        head = self._text[above:colon]
        end = self._end(value)
        if _is_block_list(value):
            rest = self._text[colon : self._line_end(colon)]
            if isinstance(after, list) and after:
                items = self._read_items(key, value, before) if isinstance(before, list) else []
                return head + rest + self._render_block_list(key, items, after)
            return f"{head} {format_flow(after)}{rest}"
        tail = self._text[end : self._line_end(end)]
        if _is_list_of_mappings(after) and not (isinstance(value, yaml.CollectionNode) and value.value):
            return head + tail + self._render_block_list(key, [], after)
        between = self._text[colon : value.start_mark.index] or " "
        return head + between + self._render(value, before, after) + tail

    def _render_block_list(self, key: yaml.Node, items: Sequence[_Item], after: Sequence[Any]) -> str:
        """Return the text of a list in block style, from the end of the line of its key."""
        indent = items[0].indent if items else key.start_mark.column + 2
        sources = match_items([item.value for item in items], after)
        rendered = []
        for value, source in zip(after, sources, strict=True):
            item = self._items.get(make_key(value)) if source is None else items[source]
            if item is None:
                rendered += [f"\n{' ' * indent}{line}" for line in format_item(value)]
                continue
            lines = item.head + self._render(item.node, item.value, value) + item.tail
            rendered.append(_reindent(lines, indent - item.indent))
        return "".join(rendered)

    def _render_flow_mapping(self, node: yaml.MappingNode, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
        spans = [(key.start_mark.index, value.end_mark.index) for key, value in node.value]
        parts: list[tuple[int | None, str]] = []
        for number, (key, value) in enumerate(node.value):
            name = key.value
            if name in after and name in before:
                new = self._render(value, before[name], after[name])
                parts.append((number, self._text[key.start_mark.index : value.start_mark.index] + new))
            elif name in after:
                parts.append((number, _format_pair(name, after[name])))
            elif name not in before:
                parts.append((number, self._text[slice(*spans[number])]))
        present = {key.value for key, _ in node.value}
        for name, value in after.items():
            if name not in present and not (name in before and make_key(before[name]) == make_key(value)):
                parts.append((None, _format_pair(name, value)))
        return self._join_flow(node, spans, parts)

    def _render_flow_list(self, node: yaml.SequenceNode, before: Sequence[Any], after: Sequence[Any]) -> str:
        if len(node.value) != len(before):
            return format_flow(after)
        spans = [(item.start_mark.index, item.end_mark.index) for item in node.value]
        parts: list[tuple[int | None, str]] = []
        for value, source in zip(after, match_items(before, after), strict=True):
            old = None if source is None else self._render(node.value[source], before[source], value)
            parts.append((source, format_flow(value) if old is None else old))
        return self._join_flow(node, spans, parts)

    def _join_flow(
        self, node: yaml.CollectionNode, spans: Sequence[tuple[int, int]], parts: Sequence[tuple[int | None, str]]
    ) -> str:
        """Join entries in flow style; neighbors in the text keep what is between them."""
        start, end = node.start_mark.index, node.end_mark.index
        if not spans or not parts:
            brackets = self._text[start] + self._text[end - 1]
            return brackets[0] + ", ".join(text for _, text in parts) + brackets[1]
        joined = self._text[start : spans[0][0]]
        previous: int | None = None
        for place, (number, text) in enumerate(parts):
            if place:
                follows = number is not None and previous is not None and number == previous + 1
                joined += self._text[spans[number - 1][1] : spans[number][0]] if follows and number else ", "
            joined += text
            previous = number
        return joined + self._text[spans[-1][1] : end]

    # Places in the text

    def _read_items(self, key: yaml.Node, node: yaml.SequenceNode, values: Sequence[Any]) -> list[_Item]:
        """Return the items of a list in block style below a key."""
        if len(node.value) != len(values):
            raise _UnusualLayoutError
        above = self._line_end(key.end_mark.index)
        items = []
        for item, value in zip(node.value, values, strict=True):
            start, end = item.start_mark.index, self._end(item)
            line = self._text.rfind("\n", 0, start) + 1
            dash = self._text.find("-", line, start)
            # An alias stands somewhere else, and a dash may stand on a line above its item.
            if start < above or dash < 0 or self._text[line:dash].strip():
                raise _UnusualLayoutError
            line_end = self._line_end(end)
            items.append(_Item(item, value, self._text[above:start], self._text[end:line_end], dash - line))
            above = line_end
        return items

    def _end(self, node: yaml.Node) -> int:
        """Return where the content of a node ends. The mark of a block ends it behind comments that follow."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self._end(last[1] if isinstance(last, tuple) else last)
        end: int = node.end_mark.index
        start: int = node.start_mark.index
        return start + len(self._text[start:end].rstrip())

    def _line_end(self, index: int) -> int:
        end = self._text.find("\n", index)
        return len(self._text) if end < 0 else end


class _Missing:
    """Stands for a value that is not known; it equals no other."""


def _is_block_list(node: yaml.Node) -> TypeGuard[yaml.SequenceNode]:
    return isinstance(node, yaml.SequenceNode) and not node.flow_style


def _is_list_of_mappings(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _have_mappings(before: Any, after: Any) -> bool:
    return _is_list_of_mappings(before) and _is_list_of_mappings(after)


def _reindent(lines: str, change: int) -> str:
    """Return lines, each after a newline, with more or less indentation."""
    if change >= 0:
        return lines.replace("\n", "\n" + " " * change)
    return lines.replace("\n" + " " * -change, "\n")


# New text


def format_entry(key: str, value: Any) -> Iterator[str]:
    """Yield the lines of a key and its value; a list of mappings is in block style."""
    if not _is_list_of_mappings(value):
        yield _format_pair(key, value)
        return
    yield f"{key}:"
    for item in value:
        yield from (f"  {line}" for line in format_item(item))


def format_item(value: Any) -> list[str]:
    """Return the lines of an item of a list: one line if the item has a ``use`` and is short, or one for each key."""
    line = f"- {format_flow(value)}"
    if not isinstance(value, Mapping) or not value or ("use" in value and len(line) <= _WIDTH):
        return [line]
    lines = [line for key, item in value.items() for line in format_entry(key, item)]
    return [f"{'  ' if number else '- '}{line}" for number, line in enumerate(lines)]


def format_flow(value: Any) -> str:
    """Return a value on one line."""
    # YAML marks the end of a document that is a scalar, but not of one that is a list.
    return sslreg.dump_yaml([value], flow=True).strip()[1:-1]


def _format_pair(key: str, value: Any) -> str:
    return format_flow({key: value})[1:-1]
