"""The way in: a file or a text becomes a `Spec`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sslreg.errors import UserError
from sslreg.registry import Catalog, installed
from sslreg.spec.composition import compose
from sslreg.spec.diagnostics import Findings
from sslreg.spec.extends import find_spec, missing_spec_hint
from sslreg.spec.sections import Spec
from sslreg.spec.validation import validate
from sslreg.spec.yaml_parser import read_text


def load_spec(path: str | Path, overrides: Sequence[str] = (), catalog: Catalog | None = None) -> Spec:
    """Read a spec from a file, or a shipped one by its name.

    overrides: ``path.to.key=VALUE``, as ``--set`` takes them. UserError: with everything that is wrong, each at its
    place.
    """
    found = find_spec(path)
    if found is None:
        raise UserError(f"there is no spec {str(path)!r}", hint=missing_spec_hint(path), code="missing-file")
    findings = Findings()
    return _read(read_text(found, findings), str(found), overrides, catalog, findings)


def parse_spec(text: str, name: str = "<spec>", overrides: Sequence[str] = (), catalog: Catalog | None = None) -> Spec:
    """Read a spec from a text. name: what diagnostics call it; otherwise as `load_spec`."""
    return _read(text, name, overrides, catalog, Findings())


def _read(text: str, file: str, overrides: Sequence[str], catalog: Catalog | None, findings: Findings) -> Spec:
    tree = compose(text, file, overrides, findings)
    return validate(tree, installed() if catalog is None else catalog, findings, file)
