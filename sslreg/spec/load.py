"""Loads a `Spec` from a file or a text: merges bases, overrides and references, then validates."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from sslreg.errors import UserError
from sslreg.registry import Catalog, installed
from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.extends import ExtendsResolver, find_spec, missing_spec_hint
from sslreg.spec.overrides import apply_override
from sslreg.spec.references import resolve_references
from sslreg.spec.sections import Spec
from sslreg.spec.tree import MappingNode, remove_keys
from sslreg.spec.validation import validate
from sslreg.spec.yaml_parser import read_text


def load_spec(path: str | Path, overrides: Sequence[str] = (), catalog: Catalog | None = None) -> Spec:
    """Load a spec from a file.

    Args:
        path: the file, or the name of a shipped spec.
        overrides: ``path.to.key=VALUE``, as ``--set`` takes them.
        catalog: the components that the spec may use; by default those of the installed plugins.

    Raises:
        UserError: the spec is invalid; the error has a diagnostic for every mistake, with its location.
    """
    file = find_spec(path)
    if file is None:
        raise UserError(f"there is no spec {str(path)!r}", hint=missing_spec_hint(path), code="missing-file")
    diagnostics = DiagnosticCollector()
    return _load(read_text(file, diagnostics), str(file), overrides, catalog, diagnostics)


def parse_spec(text: str, name: str = "<spec>", overrides: Sequence[str] = (), catalog: Catalog | None = None) -> Spec:
    """Load a spec from a text.

    Args:
        text: the spec's text.
        name: the file name for diagnostics.
        overrides: as for `load_spec`.
        catalog: as for `load_spec`.

    Raises:
        UserError: as for `load_spec`.
    """
    return _load(text, name, overrides, catalog, DiagnosticCollector())


def _load(
    text: str, file: str, overrides: Sequence[str], catalog: Catalog | None, diagnostics: DiagnosticCollector
) -> Spec:
    tree = compose(text, file, overrides, diagnostics)
    return validate(tree, installed() if catalog is None else catalog, diagnostics, file)


def compose(
    text: str,
    file: str,
    overrides: Sequence[str],
    diagnostics: DiagnosticCollector,
    environ: Mapping[str, str] = os.environ,
) -> MappingNode:
    """Merge the text over its bases, apply the overrides, and resolve references, in that order.

    Args:
        text: the spec's text.
        file: the file name for diagnostics; bases are looked up relative to its folder.
        overrides: the arguments of ``--set``.
        diagnostics: receives what is wrong.
        environ: the environment for ``${env:NAME}``.

    Raises:
        SpecError: the tree cannot be composed.
    """
    root = ExtendsResolver(diagnostics).resolve(text, file, ())
    for override in overrides:
        root = apply_override(root, override, diagnostics)
    root = resolve_references(root, environ, diagnostics)
    if "extends" in root.entries:
        diagnostics.report(
            root.key_locations["extends"], "extends", "--set cannot change `extends`", "write `extends` in a spec file"
        )
        root = remove_keys(root, {("extends",)})
    return root
