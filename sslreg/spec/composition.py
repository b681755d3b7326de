"""Composes a spec from its bases, its own text, overrides and references."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.extends import ExtendsResolver
from sslreg.spec.overrides import apply_override
from sslreg.spec.references import resolve_references
from sslreg.spec.tree import MappingNode, remove_keys


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
