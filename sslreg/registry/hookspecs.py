"""The hooks that a plugin may implement, with ``@sslreg.hookimpl`` before the function."""

from __future__ import annotations

import pluggy

from sslreg.registry.catalogue import Registry

PROJECT = "sslreg"

#: The version of the plugin contract. A plugin says which one it was written for: ``sslreg_api = 1``.
API = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def sslreg_register(registry: Registry) -> None:
    """Register the plugin's components, by import string: keep the plugin's module light."""
