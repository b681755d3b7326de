"""The parameters of a search: values of a spec, and operations of its views that are on or off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

#: What an operation of the views may be: left out, as the starting spec writes it, or with another strength.
Level = Literal["off", "as written", "scaled"]

#: The values of parameters by their names. The strength of an operation that is scaled is in ``<name>.strength``.
Values = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """A value of the spec that is one of several.

    Attributes:
        name: The path of the value, such as ``model.backbone.width``.
        options: The values.
    """

    name: str
    options: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """A value of the spec between two bounds, which are possible as well.

    Attributes:
        name: The path of the value, such as ``loss.temperature``.
        low, high: The bounds; both are integers if the value is one.
        log: Whether the logarithm of the value is searched evenly.
    """

    name: str
    low: float
    high: float
    log: bool = False

    @property
    def is_integer(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True)
class Operation:
    """An aspect of an augmentation, which views have or leave out.

    Attributes:
        name: ``elastic``, or ``affine_rotation`` for one of several aspects.
        invariances: What it induces: shape, texture, color.
        levels: What it may be. Operations of the starting spec may be ``as written``, and those that have a strength
            ``scaled``; one that is not in the spec and has no strength is ``as written`` by the constructor's defaults.
        starts: Its level in the starting spec: ``off`` or ``as written``.
    """

    name: str
    invariances: frozenset[str]
    levels: tuple[Level, ...]
    starts: Level

    @property
    def strength(self) -> str:
        """The name of the parameter with its strength, in (0, 1]."""
        return f"{self.name}.strength"


Parameter = Choice | Range | Operation
