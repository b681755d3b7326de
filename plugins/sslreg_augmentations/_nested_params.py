"""The params of several augmentations in one: those of number i have ``i.`` before their names."""

from __future__ import annotations

import sslreg


def nest(number: int, params: sslreg.Params) -> sslreg.Params:
    """What one of them drew, under its name among the others'."""
    return {f"{number}.{name}": values for name, values in params.items()}


def unnest(number: int, params: sslreg.Params) -> sslreg.Params:
    """What one of them drew, under its own names."""
    prefix = f"{number}."
    return {name.removeprefix(prefix): values for name, values in params.items() if name.startswith(prefix)}
