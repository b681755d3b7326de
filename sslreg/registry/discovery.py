"""Finds the installed plugins and asks each for its components. A broken plugin is reported, never fatal."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from sslreg.registry import hookspecs
from sslreg.registry.catalog import Catalog, PluginReport, Registry

GROUP = "sslreg"


@dataclass(frozen=True)
class Selection:
    """Which plugins may be imported, by entry-point or distribution name.

    allow: None lets every plugin in, an empty set none. block wins over allow.
    """

    allow: frozenset[str] | None = None
    block: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Selection:
        """Read ``SSLREG_PLUGINS`` (allow; set but empty means none) and ``SSLREG_DISABLE_PLUGINS``."""
        allow = environ.get("SSLREG_PLUGINS")
        return cls(
            None if allow is None else _names(allow),
            _names(environ.get("SSLREG_DISABLE_PLUGINS", "")),
        )

    def admits(self, names: set[str]) -> bool:
        return not (names & self.block) and (self.allow is None or bool(names & self.allow))


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


@cache
def installed() -> Catalog:
    """The catalog of the installed plugins, discovered once in a process."""
    return discover(Selection.from_environment())


def discover(selection: Selection, found: Iterable[EntryPoint] | None = None) -> Catalog:
    """Import the plugins that `selection` admits and collect what they register.

    found: the entry points to look at, in place of those of the installed distributions.
    """
    points = entry_points(group=GROUP) if found is None else found
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    ordered = sorted(points, key=lambda point: (_distribution(point), point.name))
    return Catalog([_load(point, selection, manager) for point in ordered], manager)


def call_hook(catalog: Catalog, plugin: PluginReport, hook: str, **arguments: Any) -> BaseException | None:
    """Call one plugin's implementation of a hook, if it has one. What it raises is returned."""
    manager = catalog.manager
    if manager is None or plugin.status != "loaded":
        return None
    try:
        _caller(manager, hook, manager.get_plugin(_key(plugin.distribution, plugin.name)))(**arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - as when it is loaded
        return error
    return None


def _caller(manager: pluggy.PluginManager, hook: str, plugin: Any) -> pluggy.HookCaller:
    others = [other for other in manager.get_plugins() if other is not plugin]
    return manager.subset_hook_caller(hook, remove_plugins=others)


def _key(distribution: str, name: str) -> str:
    return f"{distribution}:{name}"


def _load(point: EntryPoint, selection: Selection, manager: pluggy.PluginManager) -> PluginReport:
    distribution, version = _distribution(point), point.dist.version if point.dist else ""
    report = partial(PluginReport, point.name, distribution, version, module=point.value)
    if not selection.admits({point.name, distribution}):
        return report("blocked")
    registry = Registry(point.name, distribution, version)
    try:
        # Standard output belongs to the command, which may be writing JSON there.
        with redirect_stdout(sys.stderr):
            _register(_key(distribution, point.name), point.load(), manager, registry)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin that calls sys.exit() is only a broken plugin
        return report("failed", error=f"{type(error).__name__}: {error}", traceback=traceback.format_exc())
    return report("loaded", components=tuple(registry.components))


def _register(name: str, plugin: Any, manager: pluggy.PluginManager, registry: Registry) -> None:
    api = getattr(plugin, "sslreg_api", None)
    if api != hookspecs.API:
        raise ImportError(
            f"it is written for version {api} of the plugin contract, and this is version {hookspecs.API}"
            if api is not None
            else f"it lacks the line 'sslreg_api = {hookspecs.API}'"
        )
    manager.register(plugin, name)
    try:
        manager.check_pending()
        _caller(manager, "sslreg_register", plugin)(registry=registry)
    except BaseException:
        manager.unregister(plugin)
        raise


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else ""
