"""Resolves ``extends``: finds the specs that a spec extends, and merges it over them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sslreg.errors import UserError
from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.shipped_specs import shipped_specs
from sslreg.spec.tree import Location, MappingNode, Node, ScalarNode, SequenceNode, format_node, remove_keys
from sslreg.spec.yaml_parser import parse, read_text
from sslreg.suggestions import did_you_mean

#: The name of the composed spec in a run's folder.
RESOLVED_SPEC = "spec.resolved.yaml"


def find_spec(name: str | Path, folder: Path | None = None) -> Path | None:
    """Return the file of a spec, or None if there is none.

    Args:
        name: a path, or the name of a shipped spec.
        folder: the folder to which the path is relative; by default the working directory.
    """
    try:
        path = _expand(name, folder)
        exists = path.is_file()
    except (OSError, RuntimeError):
        # The name cannot be a file's: it is too long, or names the home of a user who does not exist.
        exists = False
    return path if exists else shipped_specs().get(str(name))


def missing_spec_hint(name: str | Path, folder: Path | None = None) -> str | None:
    """Return a hint for a name that `find_spec` does not find."""
    candidates: list[str] = []
    with suppress(OSError, RuntimeError):
        path = _expand(name, folder)
        if path.is_dir():
            resolved = path / RESOLVED_SPEC
            return (
                f"this is the folder of a run; its spec is {resolved}"
                if resolved.is_file()
                else "this is a folder; name a spec file"
            )
        parent = path.parent
        if not parent.is_dir():
            return f"there is no folder {str(parent)!r}"
        files = [file for suffix in ("yaml", "yml") for file in parent.glob(f"*.{suffix}")]
        candidates = [str(Path(name).parent / file.name) for file in files]
    shipped = shipped_specs()
    return did_you_mean(str(name), [*candidates, *shipped]) or f"shipped specs: {', '.join(shipped)}"


def _expand(name: str | Path, folder: Path | None) -> Path:
    path = Path(name).expanduser()
    return folder / path if folder else path


@dataclass
class ExtendsResolver:
    """Reads specs together with the specs that they extend; each file is read once.

    Attributes:
        diagnostics: receives what is wrong.
        trees: the merged trees of the files that have been read.
    """

    diagnostics: DiagnosticCollector
    trees: dict[Path, MappingNode] = field(default_factory=dict)

    def resolve(self, text: str, file: str, chain: tuple[Path, ...]) -> MappingNode:
        """Parse a text and merge it over its bases.

        Args:
            text: the spec's text.
            file: the file of the text.
            chain: the files that extend this one, outermost first.

        Raises:
            SpecError: the text, or that of a base, is not a mapping.
        """
        self.diagnostics.sources[file] = text
        start = Location(file, 1, 1)
        node = parse(text, start, self.diagnostics)
        if not isinstance(node, MappingNode):
            if node is None or node == ScalarNode(None, node.location):
                hint = "start from a shipped spec: sslreg specs copy"
                self.diagnostics.report(start, "empty", "the spec is empty", hint)
            else:
                message = f"a spec has to be a mapping, not {format_node(node)}"
                self.diagnostics.report(node.location, "not-a-mapping", message)
            raise self.diagnostics.to_exception()
        if "extends" not in node.entries:
            return node
        merged = MappingNode({}, node.location, {})
        for name in self._base_names(node.entries["extends"]):
            # What a spec is expected to reach is not true of a spec that changes it.
            base = remove_keys(self._resolve_base(name, Path(file), chain), {("expect",)})
            merged = merge(merged, base)
        return merge(merged, remove_keys(node, {("extends",)}))

    def _base_names(self, extends: Node) -> list[ScalarNode]:
        items = extends.items if isinstance(extends, SequenceNode) else (extends,)
        names = []
        for item in items:
            if isinstance(item, ScalarNode) and isinstance(item.value, str):
                names.append(item)
            else:
                message = f"extends is {format_node(item)}; it should be a path or the name of a shipped spec"
                self.diagnostics.report(item.location, "wrong-type", message)
        return names

    def _resolve_base(self, name: ScalarNode, file: Path, chain: tuple[Path, ...]) -> MappingNode:
        empty = MappingNode({}, name.location, {})
        found = find_spec(str(name.value), file.parent)
        if found is None:
            self.diagnostics.report(
                name.location,
                "missing-file",
                f"there is no spec {name.value!r}, neither relative to this file nor among the shipped specs",
                missing_spec_hint(str(name.value), file.parent),
            )
            return empty
        path = found.resolve()
        chain = (*chain, file.resolve())
        if path in chain:
            cycle = " extends ".join(step.name for step in (*chain[chain.index(path) :], path))
            self.diagnostics.report(name.location, "cycle", f"the files extend each other in a cycle: {cycle}")
            return empty
        if path not in self.trees:
            try:
                self.trees[path] = self.resolve(read_text(found, self.diagnostics), str(found), chain)
            except UserError as error:
                for diagnostic in error.diagnostics:
                    self.diagnostics.add(name.location, diagnostic)
                raise self.diagnostics.to_exception() from None
        return self.trees[path]


def merge(base: MappingNode, over: MappingNode) -> MappingNode:
    """Merge `over` over `base`. Mappings are merged key by key; any other value replaces that of the base."""
    entries = dict(base.entries)
    for key, value in over.entries.items():
        below = entries.get(key)
        if isinstance(below, MappingNode) and isinstance(value, MappingNode):
            value = merge(below, value)
        entries[key] = value
    return MappingNode(entries, over.location, {**base.key_locations, **over.key_locations}, inherited_keys(base, over))


def inherited_keys(base: MappingNode, over: MappingNode) -> dict[str, str]:
    """Return the keys that remain from `base` although `over` names another component, with their component."""
    remaining = [key for key in base.entries if key not in over.entries]
    old, new = _component_name(base), _component_name(over)
    added = dict.fromkeys(remaining, old) if old and new and old != new else {}
    return {key: name for key, name in {**added, **base.inherited}.items() if key in remaining}


def _component_name(node: MappingNode) -> str | None:
    use = node.entries.get("use")
    return use.value if isinstance(use, ScalarNode) and isinstance(use.value, str) else None
