"""Discovers the installed plugins and collects their components. A broken plugin is reported and never fatal."""

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

from sslreg.errors import INTERRUPTIONS, describe_error
from sslreg.registry import hookspecs
from sslreg.registry.catalog import Catalog, PluginReport, Registry

#: The entry-point group of plugins.
GROUP = "sslreg"


@dataclass(frozen=True)
class PluginSelection:
    """The plugins that may be imported, by the name of their entry point or distribution.

    Attributes:
        allow: the allowed plugins; None allows all, an empty set none.
        block: the blocked plugins, even if they are allowed.
    """

    allow: frozenset[str] | None = None
    block: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> PluginSelection:
        """Read ``SSLREG_PLUGINS`` (the allowed plugins; empty allows none) and ``SSLREG_DISABLE_PLUGINS``."""
        allow = environ.get("SSLREG_PLUGINS")
        return cls(
            None if allow is None else _split_names(allow),
            _split_names(environ.get("SSLREG_DISABLE_PLUGINS", "")),
        )

    def admits(self, names: set[str]) -> bool:
        """Return whether a plugin with any of these names may be imported."""
        return not (names & self.block) and (self.allow is None or bool(names & self.allow))


def _split_names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


@cache
def installed() -> Catalog:
    """Return the catalog of the installed plugins; they are discovered once per process."""
    return discover(PluginSelection.from_environment())


def discover(selection: PluginSelection, points: Iterable[EntryPoint] | None = None) -> Catalog:
    """Import the selected plugins and collect their components.

    Args:
        selection: the plugins that may be imported.
        points: the entry points to consider; by default those of the installed distributions.
    """
    points = entry_points(group=GROUP) if points is None else points
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    ordered = sorted(points, key=lambda point: (_distribution_name(point), point.name))
    return Catalog([_load_plugin(point, selection, manager) for point in ordered], manager)


def call_hook(catalog: Catalog, plugin: PluginReport, hook: str, **arguments: Any) -> BaseException | None:
    """Call one plugin's implementation of a hook, if it has one, and return the exception that it raises, if any."""
    manager = catalog.manager
    if manager is None or plugin.status != "loaded":
        return None
    try:
        module = manager.get_plugin(_plugin_id(plugin.distribution, plugin.name))
        _hook_caller(manager, hook, module)(**arguments)
    except INTERRUPTIONS:
        raise
    except BaseException as error:  # noqa: BLE001 - like in _load_plugin
        return error
    return None


def _hook_caller(manager: pluggy.PluginManager, hook: str, module: Any) -> pluggy.HookCaller:
    """Return a caller of one plugin's implementation of a hook."""
    others = [other for other in manager.get_plugins() if other is not module]
    return manager.subset_hook_caller(hook, remove_plugins=others)


def _plugin_id(distribution: str, name: str) -> str:
    return f"{distribution}:{name}"


def _load_plugin(point: EntryPoint, selection: PluginSelection, manager: pluggy.PluginManager) -> PluginReport:
    distribution, version = _distribution_name(point), point.dist.version if point.dist else ""
    report = partial(PluginReport, point.name, distribution, version, module=point.value)
    if not selection.admits({point.name, distribution}):
        return report("blocked")
    registry = Registry(point.name, distribution, version)
    try:
        # A plugin must not write to standard output, where the command may be printing JSON.
        with redirect_stdout(sys.stderr):
            _register_plugin(_plugin_id(distribution, point.name), point.load(), manager, registry)
    except INTERRUPTIONS:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin that calls sys.exit() is a broken plugin, too
        return report("failed", error=describe_error(error), traceback=traceback.format_exc())
    return report("loaded", components=tuple(registry.components))


def _register_plugin(plugin_id: str, module: Any, manager: pluggy.PluginManager, registry: Registry) -> None:
    api = getattr(module, "sslreg_api", None)
    if api is None:
        raise ImportError(f"the plugin lacks the line 'sslreg_api = {hookspecs.API}'")
    if api != hookspecs.API:
        raise ImportError(
            f"the plugin is for version {api} of the plugin contract; this sslreg has version {hookspecs.API}"
        )
    manager.register(module, plugin_id)
    try:
        manager.check_pending()
        _hook_caller(manager, "sslreg_register", module)(registry=registry)
    except BaseException:
        manager.unregister(module)
        raise


def _distribution_name(point: EntryPoint) -> str:
    return point.dist.name if point.dist else ""
