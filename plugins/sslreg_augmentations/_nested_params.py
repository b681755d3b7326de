"""The params of several augmentations in one mapping: those of number i have the prefix ``i.``."""

from __future__ import annotations

import sslreg


def nest(number: int, params: sslreg.Params) -> sslreg.Params:
    """Add the prefix of an augmentation to the names of its params."""
    return {f"{number}.{name}": values for name, values in params.items()}


def unnest(number: int, params: sslreg.Params) -> sslreg.Params:
    """Return the params of one augmentation, without their prefix."""
    prefix = f"{number}."
    return {name.removeprefix(prefix): values for name, values in params.items() if name.startswith(prefix)}
