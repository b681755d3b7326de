"""Discovers plugins and catalogs their components. Imports neither torch nor any component."""

from sslreg.registry.catalog import Catalog, ComponentInfo, PluginReport, RegistrationError, Registry
from sslreg.registry.discovery import PluginSelection, call_hook, discover, installed
from sslreg.registry.hookspecs import API, hookimpl
from sslreg.registry.kinds import INVARIANCES, KINDS, Kind

__all__ = [
    "API",
    "INVARIANCES",
    "KINDS",
    "Catalog",
    "ComponentInfo",
    "Kind",
    "PluginReport",
    "PluginSelection",
    "RegistrationError",
    "Registry",
    "call_hook",
    "discover",
    "hookimpl",
    "installed",
]
