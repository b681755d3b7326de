"""Reads what the classes of components tell about themselves, although they may come from broken packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sslreg.errors import UserError
from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.sections import ComponentSpec
from sslreg.spec.tree import MappingNode, find_nearest


def read_attribute(
    component: ComponentSpec, name: str, tree: MappingNode, diagnostics: DiagnosticCollector, default: Any = None
) -> Any:
    """Return an attribute of a component's class; None, after a report, if the class raises."""
    with report_faults(component, f"attribute {name}", tree, diagnostics):
        return getattr(component.info.load(), name, default)


@contextmanager
def report_faults(
    component: ComponentSpec, part: str, tree: MappingNode, diagnostics: DiagnosticCollector
) -> Iterator[None]:
    """Report what a part of a component's class raises in the block, at the component's location."""
    location = find_nearest(tree, component.path).location
    try:
        with component.info.blame(part):
            yield
    except UserError as error:
        diagnostics.add(location, error.diagnostics[0])
    except ValueError as error:
        diagnostics.report(location, "bad-value", f"{component.use}: {error}")
