"""What a spec is laid over: finds the files that it extends, and merges them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sslreg.errors import UserError
from sslreg.spec.diagnostics import Findings
from sslreg.spec.shipped_specs import shipped_specs
from sslreg.spec.tree import Entries, Items, Node, Origin, Scalar, shown, without
from sslreg.spec.yaml_parser import parse, read_text
from sslreg.suggestions import did_you_mean

#: Where a run's folder has the spec as it was trained.
RESOLVED = "spec.resolved.yaml"


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
        path = _path(name, beside)
        if path.is_dir():
            own = path / RESOLVED
            return (
                f"that is a run's folder; its spec is {own}"
                if own.is_file()
                else "that is a folder, and a spec is a file"
            )
        folder = path.parent
        if not folder.is_dir():
            return f"there is no folder {str(folder)!r}"
        near = [str(Path(name).parent / path.name) for suffix in ("yaml", "yml") for path in folder.glob(f"*.{suffix}")]
    return did_you_mean(str(name), [*near, *shipped_specs()]) or f"shipped specs: {', '.join(shipped_specs())}"


def _path(name: str | Path, beside: Path | None) -> Path:
    path = Path(name).expanduser()
    return beside / path if beside else path


@dataclass
class Bases:
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
        return merge(merged, without(node, {("extends",)}))

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
    return Entries(entries, over.origin, {**base.keys, **over.keys}, inherited(base, over))


def inherited(base: Entries, over: Entries) -> dict[str, str]:
    """The keys of `base` that stay although `over` changes the component, with the one that they were meant for."""
    staying = [key for key in base.entries if key not in over.entries]
    old, new = _use(base), _use(over)
    fresh = dict.fromkeys(staying, old) if old and new and old != new else {}
    return {key: use for key, use in {**fresh, **base.inherited}.items() if key in staying}


def _use(node: Entries) -> str | None:
    use = node.entries.get("use")
    return use.value if isinstance(use, Scalar) and isinstance(use.value, str) else None
