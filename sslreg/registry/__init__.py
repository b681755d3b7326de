"""Discovers plugins and knows which components they provide. Imports neither torch nor any component."""

from sslreg.registry.catalog import Catalog, ComponentInfo, PluginReport, RegistrationError, Registry
from sslreg.registry.discovery import Selection, call_hook, discover, installed
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
    "RegistrationError",
    "Registry",
    "Selection",
    "call_hook",
    "discover",
    "hookimpl",
    "installed",
]
