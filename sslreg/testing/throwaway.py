"""Registers components for the length of a test."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from sslreg.registry import Catalogue, PluginReport, Registry, installed

_numbers = itertools.count(1)


@contextmanager
def throwaway(**components: Mapping[str, Any]) -> Iterator[Catalogue]:
    """Register objects under names, by kind: ``with throwaway(loss={"acme": AcmeLoss}) as catalogue: …``.

    Until the block ends they are among what is `installed`, so specs, `sslreg.build` and the command find them.
    The objects may be defined anywhere, inside a test too; processes that are not forked cannot import them.
    """
    number = next(_numbers)
    module = ModuleType(f"sslreg_throwaway_{number}")
    registry = Registry(f"throwaway_{number}", f"throwaway-{number}", "0")
    for kind, by_name in components.items():
        for name, target in by_name.items():
            setattr(module, f"{kind}_{name}", target)
            registry.register(kind, name, f"{module.__name__}:{kind}_{name}", summary="thrown away after a test")
    report = PluginReport(
        f"throwaway_{number}", f"throwaway-{number}", "0", "loaded", components=tuple(registry.components)
    )
    catalogue = installed()
    before = catalogue.plugins
    sys.modules[module.__name__] = module
    catalogue.plugins = (*before, report)
    try:
        yield catalogue
    finally:
        catalogue.plugins = before
        del sys.modules[module.__name__]
