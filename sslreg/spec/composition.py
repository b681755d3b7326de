"""From a file to one tree: bases under it, what the command line sets over it, references filled in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from sslreg.spec.diagnostics import Findings
from sslreg.spec.extends import Bases
from sslreg.spec.overrides import overridden
from sslreg.spec.references import filled
from sslreg.spec.tree import Entries, without


def compose(
    text: str, file: str, overrides: Sequence[str], findings: Findings, environ: Mapping[str, str] = os.environ
) -> Entries:
    """One tree: bases under the text, the overrides over it, and references filled in, in that order.

    file: what diagnostics call the text; bases are looked for beside it. SpecError: there is nothing to go on with.
    """
    root = Bases(findings).over_bases(text, file, ())
    for override in overrides:
        root = overridden(root, override, findings)
    root = filled(root, environ, findings)
    if "extends" in root.entries:
        findings.report(root.keys["extends"], "extends", "`extends` cannot be set from outside of a file")
        root = without(root, {("extends",)})
    return root
