"""Parses YAML 1.2 into a tree with locations, using PyYAML's events and refusing YAML's surprising features."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from yaml import events

from sslreg.errors import UserError
from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.tree import MAX_DEPTH, MAX_NODES, Location, MappingNode, Node, ScalarNode, SequenceNode, walk
from sslreg.spec.yaml_scalars import parse_scalar

#: Hints for PyYAML's messages, by a part of the message.
_HINTS = (
    ("a reference inside", "write '${…}'"),
    (
        "mapping values are not allowed",
        "check that the line above is complete and that the indentation is the same; put text that contains ': ' in "
        "quotes",
    ),
    ("could not find expected ':'", "write ': ' after the key"),
    ("expected <block end>", "check that the indentation is the same as that of the lines above"),
    ("expected ',' or", "close the bracket, or add the missing comma"),
    ("unexpected end of stream", "close the quote"),
    ("cannot start any token", "put text that starts with this character in quotes"),
)

#: Parts of messages about mistakes that PyYAML notices only long after the place where they are.
_LATE = ("end of stream", "<stream end>", "could not find expected ':'")

#: The largest size of a spec file.
MAX_BYTES = 1_000_000

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def read_text(path: Path, diagnostics: DiagnosticCollector) -> str:
    """Read a UTF-8 file.

    Raises:
        SpecError: the file is not UTF-8; the error points to the first invalid byte.
        UserError: the file cannot be read, or is larger than 1 MB.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", code="unreadable") from error
    if len(data) > MAX_BYTES:
        raise UserError(f"{path} is larger than 1 MB, too large for a spec", hint="name a spec file", code="too-large")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        before = data[: error.start].decode("utf-8")
        diagnostics.report(
            _location_at(str(path), before, len(before)),
            "encoding",
            "the file is UTF-16, not UTF-8" if is_utf16 else f"the byte 0x{data[error.start]:02x} is not UTF-8",
            hint="this is not a text file; name a spec" if b"\0" in data and not is_utf16 else "save it as UTF-8",
        )
        raise diagnostics.to_exception() from None


def parse(text: str, start: Location, diagnostics: DiagnosticCollector) -> Node | None:
    """Parse a text into a tree; None if the text is empty.

    Args:
        text: the text.
        start: where the text starts in its file.
        diagnostics: receives mistakes after which parsing can continue.

    Raises:
        SpecError: the text is not YAML.
    """
    if len(text) > MAX_BYTES:
        diagnostics.report(start, "too-large", "the text is larger than 1 MB, too large for a spec")
        raise diagnostics.to_exception()
    return _Composer(text, start, diagnostics).compose_document()


def split_lines(text: str) -> list[str]:
    """Split a text into lines at YAML's line breaks."""
    return _LINE_BREAK.split(text)


def _location_at(file: str, text: str, index: int) -> Location:
    lines = split_lines(text[:index])
    return Location(file, len(lines), len(lines[-1]) + 1)


class _Composer:
    """Composes nodes from PyYAML's events. PyYAML's own composer recurses without limit and drops locations."""

    def __init__(self, text: str, start: Location, diagnostics: DiagnosticCollector) -> None:
        self._text = text
        self._start = start
        self._diagnostics = diagnostics
        self._anchors: dict[str, Node | None] = {}
        self._node_count = 0

    def compose_document(self) -> Node | None:
        try:
            return self._compose_first_document()
        except yaml.reader.ReaderError as error:
            location = self._in_file(_location_at(self._start.file, self._text, error.position))
            self._report_character(location, int(error.character))
        except yaml.MarkedYAMLError as error:
            self._report_syntax_error(error)
        raise self._diagnostics.to_exception()

    def _compose_first_document(self) -> Node | None:
        self._events: Iterator[Any] = iter(yaml.parse(self._text, Loader=yaml.SafeLoader))
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), events.StreamEndEvent):
            return None
        node = self._compose(next(self._events), 0)
        next(self._events)  # the end of the document
        following = next(self._events)
        if isinstance(following, events.DocumentStartEvent):
            self._diagnostics.report(
                self._locate(following.start_mark),
                "several-documents",
                "a second YAML document starts here",
                "put each spec into a separate file",
            )
        return node

    def _report_character(self, location: Location, code: int) -> None:
        self._diagnostics.report(
            location, "character", f"the character U+{code:04X} is not allowed in a spec", "remove it"
        )

    def _report_syntax_error(self, error: yaml.MarkedYAMLError) -> None:
        problem = str(error.problem or error.context)
        mark, context = error.problem_mark or error.context_mark, error.context_mark
        if context and any(part in problem for part in _LATE):
            # PyYAML points to where it gave up; users need the start of the construct.
            mark = context
        location = self._locate(mark) if mark else self._start
        if "'\\t'" in problem:
            self._diagnostics.report(location, "tab", "YAML does not allow a tab here", "use spaces")
            return
        if mark and self._text[mark.index - 1 : mark.index + 1] == "${":
            location = replace(location, column=location.column - 1)
            problem, context = "a reference inside braces or brackets needs quotes", None
        if context and mark and context.line != mark.line:
            problem += f" ({error.context} in line {self._locate(context).line})"
        hint = next((hint for part, hint in _HINTS if part in problem), None)
        self._diagnostics.report(location, "syntax", f"invalid YAML: {problem}", hint)

    def _locate(self, mark: Any) -> Location:
        """Return the location of one of PyYAML's marks."""
        return self._in_file(Location(self._start.file, mark.line + 1, mark.column + 1))

    def _in_file(self, location: Location) -> Location:
        """Translate a location in the text into one in the file that contains the text."""
        column = location.column + self._start.column - 1 if location.line == 1 else location.column
        return Location(location.file, location.line + self._start.line - 1, column)

    def _compose(self, event: Any, depth: int) -> Node:
        location = self._locate(event.start_mark)
        if isinstance(event, events.AliasEvent):
            return self._resolve_alias(str(event.anchor), location, depth)
        self._count_nodes(1, depth, location)
        if event.tag is not None:
            self._diagnostics.report(
                location,
                "tag",
                f"the tag {event.tag.replace('tag:yaml.org,2002:', '!!')!r} is not allowed in a spec",
                "remove it; put a number in quotes to make it text",
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node: Node
        if isinstance(event, events.ScalarEvent):
            node = self._compose_scalar(event, location)
        elif isinstance(event, events.SequenceStartEvent):
            node = SequenceNode(tuple(self._compose_items(depth)), location)
        else:
            node = self._compose_mapping(location, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _count_nodes(self, count: int, depth: int, location: Location) -> None:
        """Count nodes.

        Raises:
            SpecError: there are more than `MAX_NODES`, or they are deeper than `MAX_DEPTH`.
        """
        self._node_count += count
        if depth > MAX_DEPTH:
            self._diagnostics.report(location, "too-deep", f"the spec is nested more than {MAX_DEPTH} levels deep")
            raise self._diagnostics.to_exception()
        if self._node_count > MAX_NODES:
            self._diagnostics.report(location, "too-large", f"the spec has more than {MAX_NODES} values")
            raise self._diagnostics.to_exception()

    def _resolve_alias(self, name: str, location: Location, depth: int) -> Node:
        node = self._anchors.get(name)
        if node is not None:
            depths = [len(path) for path, _ in walk(node)]
            self._count_nodes(len(depths), depth + max(depths), location)
            return node
        if name in self._anchors:
            self._diagnostics.report(location, "alias", f"*{name} is used inside the value that &{name} marks")
        else:
            self._diagnostics.report(location, "alias", f"there is no anchor &{name} above")
        return ScalarNode(None, location, invalid=True)

    def _compose_scalar(self, event: Any, location: Location) -> ScalarNode:
        invalid = ScalarNode(None, location, invalid=True)
        # An escape can write half of a UTF-16 surrogate pair, which is not valid text.
        for character in event.value:
            if "\ud800" <= character <= "\udfff":
                self._report_character(location, ord(character))
                return invalid
        if event.tag is not None:
            return invalid
        if not event.implicit[0]:
            return ScalarNode(event.value, location)
        try:
            return ScalarNode(parse_scalar(event.value), location)
        except ValueError as error:
            self._diagnostics.report(location, "number", f"{error} is too long")
            return invalid

    def _compose_items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            yield self._compose(event, depth + 1)

    def _compose_mapping(self, location: Location, depth: int) -> MappingNode:
        entries: dict[str, Node] = {}
        key_locations: dict[str, Location] = {}
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            key_location = self._locate(event.start_mark)
            key = self._compose_key(event, key_location, depth)
            value = self._compose(next(self._events), depth + 1)
            if key is None:
                continue
            if key in entries:
                self._diagnostics.report(
                    key_location,
                    "duplicate-key",
                    f"the key {key!r} is already used in line {key_locations[key].line}",
                    "remove one of them",
                )
                continue
            entries[key], key_locations[key] = value, key_location
        return MappingNode(entries, location, key_locations)

    def _compose_key(self, event: Any, location: Location, depth: int) -> str | None:
        """Return the text of a key, or None if it is not a valid key."""
        node = self._compose(event, depth + 1)
        if not isinstance(event, events.ScalarEvent) or event.value == "":
            hint = "put text that contains braces or brackets in quotes"
            self._diagnostics.report(location, "key", "a key has to be a word", hint)
            return None
        if event.value == "<<":
            self._diagnostics.report(
                location,
                "merge-key",
                "YAML 1.2 has no merge keys",
                "use `extends:` to build on another spec, or ${path} to repeat a value",
            )
            return None
        return None if isinstance(node, ScalarNode) and node.invalid else str(event.value)
