"""Registration of components for the duration of a test."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from sslreg.registry import Catalog, PluginReport, Registry, installed

_numbers = itertools.count(1)


@contextmanager
def temporary_components(**components: Mapping[str, Any]) -> Iterator[Catalog]:
    """Register objects by kind and name: ``with temporary_components(loss={"acme": AcmeLoss}) as catalog: …``.

    Until the block ends they are installed, so specs, `sslreg.build` and the command find them. The objects may be
    defined anywhere, also inside a test. Processes that are not forked cannot import them.
    """
    number = next(_numbers)
    module = ModuleType(f"sslreg_temporary_{number}")
    registry = Registry(f"temporary_{number}", f"temporary_components-{number}", "0")
    for kind, by_name in components.items():
        for name, target in by_name.items():
            setattr(module, f"{kind}_{name}", target)
            registry.register(kind, name, f"{module.__name__}:{kind}_{name}", summary="temporary")
    report = PluginReport(
        f"temporary_{number}", f"temporary_components-{number}", "0", "loaded", components=tuple(registry.components)
    )
    catalog = installed()
    previous = catalog.plugins
    sys.modules[module.__name__] = module
    catalog.plugins = (*previous, report)
    try:
        yield catalog
    finally:
        catalog.plugins = previous
        del sys.modules[module.__name__]
