"""From a file to one tree: what it extends, what the command line sets, and the references among values."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sslreg.errors import UserError, did_you_mean
from sslreg.spec.findings import Findings
from sslreg.spec.node import At, Entries, Items, Node, Origin, Scalar, dotted, shown
from sslreg.spec.shipped import shipped_specs
from sslreg.spec.source import MAX_NODES, parse, read_text
from sslreg.spec.yaml12 import resolve

#: The file that diagnostics about ``--set`` name. Its lines are the arguments.
ARGUMENTS = "--set"

_REFERENCE = re.compile(r"\$\{\s*([^{}]*?)\s*\}")


def find_spec(name: str | Path, beside: Path | None = None) -> Path | None:
    """The file that a spec's name stands for: a path, relative to the folder `beside`, or a shipped spec."""
    try:
        path = _path(name, beside)
        found = path.is_file()
    except (OSError, RuntimeError):
        # A name that no file can have: too long, or in the home of a user who does not exist.
        found = False
    return path if found else shipped_specs().get(str(name))


def missing_spec_hint(name: str | Path, beside: Path | None = None) -> str | None:
    """What to say when `find_spec` finds nothing: the nearest of what there is."""
    near: list[str] = []
    with suppress(OSError, RuntimeError):
        folder = _path(name, beside).parent
        if not folder.is_dir():
            return f"there is no folder {str(folder)!r}"
        near = [str(Path(name).parent / path.name) for suffix in ("yaml", "yml") for path in folder.glob(f"*.{suffix}")]
    return did_you_mean(str(name), [*near, *shipped_specs()]) or f"shipped specs: {', '.join(shipped_specs())}"


def _path(name: str | Path, beside: Path | None) -> Path:
    path = Path(name).expanduser()
    return beside / path if beside else path


def compose(
    text: str, file: str, overrides: Sequence[str], findings: Findings, environ: Mapping[str, str] = os.environ
) -> Entries:
    """One tree: bases under the text, the overrides over it, and references filled in, in that order.

    file: what diagnostics call the text; bases are looked for beside it. SpecError: there is nothing to go on with.
    """
    root = _Bases(findings).over_bases(text, file, ())
    for override in overrides:
        root = _overridden(root, override, findings)
    root = _References(root, environ, findings).filled()
    if "extends" in root.entries:
        findings.report(root.keys["extends"], "extends", "`extends` cannot be set from outside of a file")
        root = _without(root, "extends")
    return root


@dataclass
class _Bases:
    """Reads files with all that they extend, each file once."""

    findings: Findings
    known: dict[Path, Entries] = field(default_factory=dict)

    def over_bases(self, text: str, file: str, chain: tuple[Path, ...]) -> Entries:
        """The tree of a text laid over its bases. chain: the files that led here."""
        self.findings.sources[file] = text
        start = Origin(file, 1, 1)
        node = parse(text, start, self.findings)
        if not isinstance(node, Entries):
            if node is None or node == Scalar(None, node.origin):
                self.findings.report(start, "empty", "the spec is empty", "start from a shipped one: sslreg specs copy")
            else:
                self.findings.report(node.origin, "not-a-mapping", f"a spec is a mapping, not {shown(node)}")
            raise self.findings.stop()
        if "extends" not in node.entries:
            return node
        merged = Entries({}, node.origin, {})
        for base in self._named(node.entries["extends"]):
            merged = merge(merged, self._base(base, Path(file), chain))
        return merge(merged, _without(node, "extends"))

    def _named(self, extends: Node) -> list[Scalar]:
        items = extends.items if isinstance(extends, Items) else (extends,)
        for item in items:
            if not isinstance(item, Scalar) or not isinstance(item.value, str):
                self.findings.report(
                    item.origin, "wrong-type", f"extends is {shown(item)}; it should be a path or a shipped spec's name"
                )
        return [item for item in items if isinstance(item, Scalar) and isinstance(item.value, str)]

    def _base(self, name: Scalar, file: Path, chain: tuple[Path, ...]) -> Entries:
        nothing = Entries({}, name.origin, {})
        found = find_spec(str(name.value), file.parent)
        if found is None:
            self.findings.report(
                name.origin,
                "missing-file",
                f"there is no spec {name.value!r} beside this file, and none is shipped by that name",
                missing_spec_hint(str(name.value), file.parent),
            )
            return nothing
        path = found.resolve()
        chain = (*chain, file.resolve())
        if path in chain:
            circle = " extends ".join(step.name for step in (*chain[chain.index(path) :], path))
            self.findings.report(name.origin, "cycle", f"the files extend each other in a circle: {circle}")
            return nothing
        if path not in self.known:
            try:
                self.known[path] = self.over_bases(read_text(found, self.findings), str(found), chain)
            except UserError as error:
                for diagnostic in error.diagnostics:
                    self.findings.add(name.origin, diagnostic)
                raise self.findings.stop() from None
        return self.known[path]


def merge(base: Entries, over: Entries) -> Entries:
    """`over` laid over `base`: mappings merge key by key, anything else replaces."""
    entries = dict(base.entries)
    for key, value in over.entries.items():
        under = entries.get(key)
        if isinstance(under, Entries) and isinstance(value, Entries):
            value = merge(under, value)
        entries[key] = value
    return Entries(entries, over.origin, {**base.keys, **over.keys}, _inherited(base, over))


def _inherited(base: Entries, over: Entries) -> dict[str, str]:
    """The keys of `base` that stay although `over` changes the component, with the one that they were meant for."""
    staying = [key for key in base.entries if key not in over.entries]
    old, new = _use(base), _use(over)
    fresh = dict.fromkeys(staying, old) if old and new and old != new else {}
    return {key: use for key, use in {**fresh, **base.inherited}.items() if key in staying}


def _use(node: Entries) -> str | None:
    use = node.entries.get("use")
    return use.value if isinstance(use, Scalar) and isinstance(use.value, str) else None


def _without(node: Entries, key: str) -> Entries:
    return replace(node, entries={name: value for name, value in node.entries.items() if name != key})


def _overridden(root: Entries, argument: str, findings: Findings) -> Entries:
    """The tree with one ``a.b.0.c=VALUE`` applied."""
    before = findings.sources.get(ARGUMENTS, "")
    findings.sources[ARGUMENTS] = f"{before}{argument}\n"
    start = Origin(ARGUMENTS, before.count("\n") + 1, 1)
    path, equals, text = argument.partition("=")
    steps, column = [], 1
    for step in path.split("."):
        steps.append((step.strip(), replace(start, column=column)))
        column += len(step) + 1
    if not equals or not all(step for step, _ in steps):
        findings.report(start, "override", f"{argument!r} sets nothing", "write --set path.to.key=VALUE")
        return root
    value_start = replace(start, column=column)
    value = parse(text, value_start, findings) or Scalar(None, value_start)
    changed = _with(root, steps, value, (), findings)
    return changed if isinstance(changed, Entries) else root


def _with(node: Node | None, steps: list[tuple[str, Origin]], value: Node, at: At, findings: Findings) -> Node:
    """`node`, found at `at`, with `value` where `steps` lead."""
    if not steps:
        return value
    (step, origin), *rest = steps
    if node is None or (isinstance(node, Scalar) and node.value is None):
        node = Entries({}, origin, {})
    if isinstance(node, Scalar):
        findings.report(origin, "override", f"{dotted(at)} is {shown(node)}, which has no {step!r} inside")
        return node
    if isinstance(node, Items):
        if not step.isdecimal() or int(step) >= len(node.items):
            count = f"its items are 0 to {len(node.items) - 1}" if node.items else "it is empty"
            findings.report(origin, "override", f"{dotted(at)} is a list without {step!r}", count)
            return node
        number = int(step)
        items = list(node.items)
        items[number] = _with(items[number], rest, value, (*at, number), findings)
        return replace(node, items=tuple(items))
    changed = _with(node.entries.get(step), rest, value, (*at, step), findings)
    over = Entries({step: changed}, node.origin, {step: node.keys.get(step, origin) if rest else origin})
    return Entries({**node.entries, **over.entries}, node.origin, {**node.keys, **over.keys}, _inherited(node, over))


@dataclass
class _References:
    """Fills in ``${path}`` and ``${env:NAME}`` where they are a whole value."""

    root: Entries
    environ: Mapping[str, str]
    findings: Findings
    copied: int = 0
    outermost: Node = field(init=False)

    def filled(self) -> Entries:
        filled = self._fill(self.root, ())
        assert isinstance(filled, Entries)
        return filled

    def _fill(self, node: Node, within: tuple[At, ...]) -> Node:
        """The node with its references filled in. within: the references that are being filled in already."""
        if within:
            self.copied += 1
            if self.copied > MAX_NODES:
                self.findings.report(
                    self.outermost.origin, "too-large", f"this grows the spec beyond {MAX_NODES} values"
                )
                raise self.findings.stop()
        if isinstance(node, Items):
            return replace(node, items=tuple(self._fill(item, within) for item in node.items))
        if isinstance(node, Entries):
            return replace(node, entries={key: self._fill(value, within) for key, value in node.entries.items()})
        return self._follow(node, within)

    def _follow(self, node: Scalar, within: tuple[At, ...]) -> Node:
        if not within:
            self.outermost = node
        if not isinstance(node.value, str) or "${" not in node.value:
            return node
        reference = _REFERENCE.fullmatch(node.value)
        if reference is None:
            self.findings.report(
                node.origin,
                "reference",
                f"{shown(node)} is only in part a reference",
                "a reference is the whole value: ${path}",
            )
            return replace(node, broken=True)
        if reference[1].startswith("env:"):
            return self._environment(node, reference[1].removeprefix("env:").strip())
        path = tuple(int(step) if step.isdecimal() else step for step in reference[1].split("."))
        if path in within:
            self.findings.report(node.origin, "cycle", f"{node.value} leads back to itself")
            return replace(node, broken=True)
        within = (*within, path)
        target = self._target(node, path, within)
        return replace(self._fill(target, within), origin=node.origin) if target else replace(node, broken=True)

    def _target(self, node: Scalar, path: At, within: tuple[At, ...]) -> Node | None:
        """What the reference `node` names."""
        found: Node = self.root
        for depth, step in enumerate(path):
            if isinstance(found, Scalar):
                found = self._follow(found, within)
            if isinstance(found, Entries) and str(step) in found.entries:
                found = found.entries[str(step)]
            elif isinstance(found, Items) and isinstance(step, int) and step < len(found.items):
                found = found.items[step]
            else:
                known = found.entries if isinstance(found, Entries) else ()
                where = f"{dotted(path[:depth])} has no" if depth else "there is no"
                self.findings.report(
                    node.origin,
                    "reference",
                    f"{node.value} names nothing: {where} {str(step)!r}",
                    did_you_mean(str(step), known),
                )
                return None
        return found

    def _environment(self, node: Scalar, name: str) -> Scalar:
        if name not in self.environ:
            self.findings.report(
                node.origin, "environment", f"the environment has no {name!r}", f"set it before the command: {name}=…"
            )
            return replace(node, broken=True)
        text = self.environ[name].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        try:
            value = resolve(text)
        except ValueError:
            value = text
        return Scalar(value, node.origin, environment=str(node.value), text=text)
