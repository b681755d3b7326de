"""The base of all contracts: constructors that refuse values outside of their bounds."""

from __future__ import annotations

from typing import Any

from sslreg.spec.bounds import enforce_bounds


class Component:
    """Base class of the contracts. The constructors of subclasses enforce the bounds that their signatures declare."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            enforce_bounds(cls)
