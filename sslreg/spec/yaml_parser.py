"""From text to a tree with origins: YAML 1.2 by PyYAML's parser, without the parts that surprise."""

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
from sslreg.spec.diagnostics import Findings
from sslreg.spec.scalars import resolve
from sslreg.spec.tree import MAX_DEPTH, MAX_NODES, Entries, Items, Node, Origin, Scalar, walk

_HINTS = (
    ("a reference inside", "write '${…}'"),
    (
        "mapping values are not allowed",
        "is the line above complete, and the indentation the same? ': ' in text needs quotes",
    ),
    ("could not find expected ':'", "a key is followed by ': '"),
    ("expected <block end>", "is the indentation the same as that of the lines above?"),
    ("expected ',' or", "a bracket is not closed, or a comma is missing"),
    ("unexpected end of stream", "a quote is not closed"),
    ("cannot start any token", "quote text that starts with this character"),
)

#: Problems that are noticed long after the mistake.
_LOST = ("end of stream", "<stream end>", "could not find expected ':'")

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def read_text(path: Path, findings: Findings) -> str:
    """A file's text. SpecError: it is not UTF-8, at the place where it stops being so; UserError: it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", code="unreadable") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        before = data[: error.start].decode("utf-8")
        findings.report(
            _origin_at(str(path), before, len(before)),
            "encoding",
            "the file is UTF-16" if utf16 else f"the byte 0x{data[error.start]:02x} is not UTF-8",
            hint="this is no text file; name a spec" if b"\0" in data and not utf16 else "save the file as UTF-8",
        )
        raise findings.stop() from None


def parse(text: str, start: Origin, findings: Findings) -> Node | None:
    """Compose `text`, which begins at `start`, into a tree; None if it is empty.

    What can be passed over is reported to `findings`. SpecError: the text is not YAML.
    """
    return _Composer(text, start, findings).document()


def lines_of(text: str) -> list[str]:
    """The lines of a text, where YAML breaks them."""
    return _LINE_BREAK.split(text)


def _origin_at(file: str, text: str, index: int) -> Origin:
    lines = lines_of(text[:index])
    return Origin(file, len(lines), len(lines[-1]) + 1)


class _Composer:
    """PyYAML's own composer recurses without limit and drops marks; this one walks its events."""

    def __init__(self, text: str, start: Origin, findings: Findings) -> None:
        self._yaml = text
        self._start = start
        self._findings = findings
        self._anchors: dict[str, Node | None] = {}
        self._nodes = 0

    def document(self) -> Node | None:
        try:
            return self._first_document()
        except yaml.reader.ReaderError as error:
            origin = self._shift(_origin_at(self._start.file, self._yaml, error.position))
            self._character(origin, int(error.character))
        except yaml.MarkedYAMLError as error:
            self._syntax_error(error)
        raise self._findings.stop()

    def _first_document(self) -> Node | None:
        self._events: Iterator[Any] = iter(yaml.parse(self._yaml, Loader=yaml.SafeLoader))
        next(self._events)  # the stream starts
        if isinstance(next(self._events), events.StreamEndEvent):
            return None
        node = self._compose(next(self._events), 0)
        next(self._events)  # the document ends
        following = next(self._events)
        if isinstance(following, events.DocumentStartEvent):
            self._findings.report(
                self._at(following.start_mark),
                "several-documents",
                "a second document starts here",
                "one file is one spec",
            )
        return node

    def _character(self, origin: Origin, code: int) -> None:
        self._findings.report(origin, "character", f"the character U+{code:04X} has no place in a spec")

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> None:
        problem = str(error.problem or error.context)
        mark, context = error.problem_mark or error.context_mark, error.context_mark
        if context and any(lost in problem for lost in _LOST):
            # PyYAML points to where it gave up; what matters is where that began.
            mark = context
        origin = self._at(mark) if mark else self._start
        if "'\\t'" in problem:
            self._findings.report(origin, "tab", "a tab cannot indent or separate in YAML", "use spaces")
            return
        if mark and self._yaml[mark.index - 1 : mark.index + 1] == "${":
            origin = replace(origin, column=origin.column - 1)
            problem, context = "a reference inside of braces or brackets is quoted", None
        if context and mark and context.line != mark.line:
            problem += f" ({error.context} in line {self._at(context).line})"
        hint = next((hint for part, hint in _HINTS if part in problem), None)
        self._findings.report(origin, "syntax", f"not YAML: {problem}", hint)

    def _at(self, mark: Any) -> Origin:
        return self._shift(Origin(self._start.file, mark.line + 1, mark.column + 1))

    def _shift(self, origin: Origin) -> Origin:
        """From a place in the text to one in the file that the text is part of."""
        column = origin.column + self._start.column - 1 if origin.line == 1 else origin.column
        return Origin(origin.file, origin.line + self._start.line - 1, column)

    def _compose(self, event: Any, depth: int) -> Node:
        origin = self._at(event.start_mark)
        if isinstance(event, events.AliasEvent):
            return self._alias(str(event.anchor), origin, depth)
        self._count(1, depth, origin)
        if event.tag is not None:
            self._findings.report(
                origin,
                "tag",
                f"the tag {event.tag.replace('tag:yaml.org,2002:', '!!')!r} has no meaning in a spec",
                "leave it out; quotes make text of a number",
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node: Node
        if isinstance(event, events.ScalarEvent):
            node = self._scalar(event, origin)
        elif isinstance(event, events.SequenceStartEvent):
            node = Items(tuple(self._items(depth)), origin)
        else:
            node = self._entries(origin, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _count(self, nodes: int, depth: int, origin: Origin) -> None:
        """Take note of `nodes` more, `depth` deep. SpecError: that is more than a spec has."""
        self._nodes += nodes
        if depth > MAX_DEPTH:
            self._findings.report(origin, "too-deep", f"nested more than {MAX_DEPTH} levels deep")
            raise self._findings.stop()
        if self._nodes > MAX_NODES:
            self._findings.report(origin, "too-large", f"the spec grows beyond {MAX_NODES} values here")
            raise self._findings.stop()

    def _alias(self, name: str, origin: Origin, depth: int) -> Node:
        node = self._anchors.get(name)
        if node is not None:
            depths = [len(at) for at, _ in walk(node)]
            self._count(len(depths), depth + max(depths), origin)
            return node
        if name in self._anchors:
            self._findings.report(origin, "alias", f"*{name} is inside of what it stands for")
        else:
            self._findings.report(origin, "alias", f"nothing is anchored as &{name} above")
        return Scalar(None, origin, broken=True)

    def _scalar(self, event: Any, origin: Origin) -> Scalar:
        broken = Scalar(None, origin, broken=True)
        # An escape can write half of a UTF-16 pair, which is no text.
        for character in event.value:
            if "\ud800" <= character <= "\udfff":
                self._character(origin, ord(character))
                return broken
        if event.tag is not None:
            return broken
        if not event.implicit[0]:
            return Scalar(event.value, origin)
        try:
            return Scalar(resolve(event.value), origin)
        except ValueError as error:
            self._findings.report(origin, "number", f"{error} is no use here")
            return broken

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            yield self._compose(event, depth + 1)

    def _entries(self, origin: Origin, depth: int) -> Entries:
        entries: dict[str, Node] = {}
        keys: dict[str, Origin] = {}
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            at = self._at(event.start_mark)
            key = self._key(event, at, depth)
            value = self._compose(next(self._events), depth + 1)
            if key is None:
                continue
            if key in entries:
                self._findings.report(
                    at, "duplicate-key", f"{key!r} is written twice; the first is in line {keys[key].line}"
                )
                continue
            entries[key], keys[key] = value, at
        return Entries(entries, origin, keys)

    def _key(self, event: Any, origin: Origin, depth: int) -> str | None:
        """A key's text; None if it cannot be one."""
        node = self._compose(event, depth + 1)
        if not isinstance(event, events.ScalarEvent) or event.value == "":
            self._findings.report(origin, "key", "a key is a word", "quote text that contains braces or brackets")
            return None
        if event.value == "<<":
            self._findings.report(
                origin, "merge-key", "YAML 1.2 has no merge keys", "use `extends:` for a base, or ${path} for a value"
            )
            return None
        return None if isinstance(node, Scalar) and node.broken else str(event.value)
