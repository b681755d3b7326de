"""References among values: ``${path}`` and ``${env:NAME}``, where they are a whole value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sslreg.spec.diagnostics import Findings
from sslreg.spec.scalars import resolve
from sslreg.spec.tree import MAX_DEPTH, MAX_NODES, Entries, Items, Node, Scalar, item, shown
from sslreg.suggestions import did_you_mean

_REFERENCE = re.compile(r"\$\{\s*([^{}]*?)\s*\}")


def filled(root: Entries, environ: Mapping[str, str], findings: Findings) -> Entries:
    """The tree with what its references name in their place. SpecError: they let it grow without bound."""
    return _References(root, environ, findings).entries(root, (), 0)


@dataclass
class _References:
    """Fills references in. within: the paths of those being filled in already; depth: how deep the result is."""

    root: Entries
    environ: Mapping[str, str]
    findings: Findings
    copied: int = 0
    outermost: Node = field(init=False)

    def entries(self, node: Entries, within: tuple[str, ...], depth: int) -> Entries:
        return replace(node, entries={key: self._fill(value, within, depth) for key, value in node.entries.items()})

    def _fill(self, node: Node, within: tuple[str, ...], depth: int) -> Node:
        if not within:
            self.outermost = node
        self.copied += bool(within)
        if self.copied > MAX_NODES:
            self._stop("too-large", f"this grows the spec beyond {MAX_NODES} values")
        if max(depth, len(within)) > MAX_DEPTH:
            self._stop("too-deep", f"this grows the spec to more than {MAX_DEPTH} levels")
        if isinstance(node, Items):
            return replace(node, items=tuple(self._fill(inner, within, depth + 1) for inner in node.items))
        if isinstance(node, Entries):
            return self.entries(node, within, depth + 1)
        return self._follow(node, within, depth)

    def _stop(self, code: str, message: str) -> None:
        self.findings.report(self.outermost.origin, code, message)
        raise self.findings.stop()

    def _follow(self, node: Scalar, within: tuple[str, ...], depth: int) -> Node:
        """What a value stands for, if it is a reference."""
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
        path = reference[1]
        if path.startswith("env:"):
            return self._environment(node, path.removeprefix("env:").strip())
        if path in within:
            self.findings.report(node.origin, "cycle", f"{node.value} leads back to itself")
            return replace(node, broken=True)
        within = (*within, path)
        target = self._target(node, path.split("."), within, depth)
        return replace(self._fill(target, within, depth), origin=node.origin) if target else replace(node, broken=True)

    def _target(self, node: Scalar, steps: list[str], within: tuple[str, ...], depth: int) -> Node | None:
        """What the reference `node` names."""
        found: Node = self.root
        for number, step in enumerate(steps):
            if isinstance(found, Scalar):
                found = self._follow(found, within, depth)
            inside = found.entries.get(step) if isinstance(found, Entries) else None
            if isinstance(found, Items) and (index := item(found, step)) is not None:
                inside = found.items[index]
            if inside is None:
                where = f"{'.'.join(steps[:number])} has no" if number else "there is no"
                known = found.entries if isinstance(found, Entries) else ()
                hint = did_you_mean(step, known)
                self.findings.report(node.origin, "reference", f"{node.value} names nothing: {where} {step!r}", hint)
                return None
            found = inside
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
