"""Registers components for the length of a test."""

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
    """Register objects under names, by kind: ``with temporary_components(loss={"acme": AcmeLoss}) as catalog: …``.

    Until the block ends they are among what is `installed`, so specs, `sslreg.build` and the command find them.
    The objects may be defined anywhere, inside a test too; processes that are not forked cannot import them.
    """
    number = next(_numbers)
    module = ModuleType(f"sslreg_throwaway_{number}")
    registry = Registry(f"throwaway_{number}", f"temporary_components-{number}", "0")
    for kind, by_name in components.items():
        for name, target in by_name.items():
            setattr(module, f"{kind}_{name}", target)
            registry.register(kind, name, f"{module.__name__}:{kind}_{name}", summary="thrown away after a test")
    report = PluginReport(
        f"throwaway_{number}", f"temporary_components-{number}", "0", "loaded", components=tuple(registry.components)
    )
    catalog = installed()
    before = catalog.plugins
    sys.modules[module.__name__] = module
    catalog.plugins = (*before, report)
    try:
        yield catalog
    finally:
        catalog.plugins = before
        del sys.modules[module.__name__]
