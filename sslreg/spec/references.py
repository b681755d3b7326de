"""Resolves references: values that are as a whole ``${path}`` or ``${env:NAME}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.tree import (
    MAX_DEPTH,
    MAX_NODES,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    format_node,
    parse_index,
)
from sslreg.spec.yaml_scalars import parse_scalar
from sslreg.suggestions import did_you_mean

_REFERENCE = re.compile(r"\$\{\s*([^{}]*?)\s*\}")


def resolve_references(root: MappingNode, environ: Mapping[str, str], diagnostics: DiagnosticCollector) -> MappingNode:
    """Return the tree with every reference replaced by the value that it names.

    Raises:
        SpecError: the references let the tree grow beyond `MAX_NODES` or `MAX_DEPTH`.
    """
    return _ReferenceResolver(root, environ, diagnostics).resolve_mapping(root, (), 0)


@dataclass
class _ReferenceResolver:
    """Resolves the references of one tree.

    In the methods, `active` holds the paths of the references that are being resolved, outermost first, and `depth` is
    the depth in the result.

    Attributes:
        copied: how many nodes have been copied by references.
        outermost: the node that is being resolved and is not itself inside a reference.
    """

    root: MappingNode
    environ: Mapping[str, str]
    diagnostics: DiagnosticCollector
    copied: int = 0
    outermost: Node = field(init=False)

    def resolve_mapping(self, node: MappingNode, active: tuple[str, ...], depth: int) -> MappingNode:
        return replace(node, entries={key: self._resolve(value, active, depth) for key, value in node.entries.items()})

    def _resolve(self, node: Node, active: tuple[str, ...], depth: int) -> Node:
        if not active:
            self.outermost = node
        self.copied += bool(active)
        if self.copied > MAX_NODES:
            self._abort("too-large", f"this reference makes the spec larger than {MAX_NODES} values")
        if max(depth, len(active)) > MAX_DEPTH:
            self._abort("too-deep", f"this reference nests the spec more than {MAX_DEPTH} levels deep")
        if isinstance(node, SequenceNode):
            return replace(node, items=tuple(self._resolve(item, active, depth + 1) for item in node.items))
        if isinstance(node, MappingNode):
            return self.resolve_mapping(node, active, depth + 1)
        return self._resolve_scalar(node, active, depth)

    def _abort(self, code: str, message: str) -> None:
        self.diagnostics.report(self.outermost.location, code, message)
        raise self.diagnostics.to_exception()

    def _resolve_scalar(self, node: ScalarNode, active: tuple[str, ...], depth: int) -> Node:
        if not isinstance(node.value, str) or "${" not in node.value:
            return node
        reference = _REFERENCE.fullmatch(node.value)
        if reference is None:
            self.diagnostics.report(
                node.location,
                "reference",
                f"{format_node(node)} mixes a reference with other text",
                "a reference has to be the whole value: ${path}",
            )
            return replace(node, invalid=True)
        path = reference[1]
        if path.startswith("env:"):
            return self._read_environment(node, path.removeprefix("env:").strip())
        if path in active:
            self.diagnostics.report(node.location, "cycle", f"{node.value} refers to itself")
            return replace(node, invalid=True)
        active = (*active, path)
        target = self._find_target(node, path.split("."), active, depth)
        if target is None:
            return replace(node, invalid=True)
        return replace(self._resolve(target, active, depth), location=node.location)

    def _find_target(self, node: ScalarNode, keys: list[str], active: tuple[str, ...], depth: int) -> Node | None:
        """Return the node that the reference `node` names."""
        found: Node = self.root
        for number, key in enumerate(keys):
            if isinstance(found, ScalarNode):
                found = self._resolve_scalar(found, active, depth)
            child = found.entries.get(key) if isinstance(found, MappingNode) else None
            if isinstance(found, SequenceNode) and (index := parse_index(found, key)) is not None:
                child = found.items[index]
            if child is None:
                reason = f"{'.'.join(keys[:number])} has no {key!r}" if number else f"the spec has no {key!r}"
                known = found.entries if isinstance(found, MappingNode) else ()
                message = f"{node.value} does not exist: {reason}"
                self.diagnostics.report(node.location, "reference", message, did_you_mean(key, known))
                return None
            found = child
        return found

    def _read_environment(self, node: ScalarNode, name: str) -> ScalarNode:
        if name not in self.environ:
            message = f"the environment variable {name!r} is not set"
            self.diagnostics.report(node.location, "environment", message, f"set it before the command: {name}=…")
            return replace(node, invalid=True)
        text = self.environ[name].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        try:
            value = parse_scalar(text)
        except ValueError:
            value = text
        return ScalarNode(value, node.location, env_reference=str(node.value), env_text=text)
