"""The parameters of a search: values of a spec, and operations of its views."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: The state of an operation: left out, as the starting spec has it, or with another strength.
Level = Literal["off", "as written", "scaled"]

#: The values of parameters by name. The strength of a ``scaled`` operation is the value of ``<name>.strength``.
Values = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """A value of the spec that is one of several.

    Attributes:
        name: The path of the value, such as ``model.backbone.width``.
        options: The values, as a spec has them: at least two, all different.
    """

    name: str
    options: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """A value of the spec between two bounds, both included.

    Attributes:
        name: The path of the value, such as ``loss.temperature``.
        low: The lower bound.
        high: The upper bound. Both bounds are integers if the value has to be one.
        log: Whether the logarithm of the value is searched uniformly.
    """

    name: str
    low: float
    high: float
    log: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether the value is an integer."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True)
class Operation:
    """An aspect of an augmentation, which views have or lack.

    Attributes:
        name: The augmentation, such as ``elastic``; with its aspect if it has several, such as ``affine_rotation``.
        invariances: The invariances that it induces: shape, texture, color.
        levels: The possible levels. Only an augmentation with a strength can be ``scaled``. An operation that the
            starting spec lacks is ``as written`` with the defaults of its constructor, if it has no strength.
        starts: Its level in the starting spec: ``off`` or ``as written``.
    """

    name: str
    invariances: frozenset[str]
    levels: tuple[Level, ...]
    starts: Level

    @property
    def strength(self) -> str:
        """The name of the value with its strength, in (0, 1]."""
        return f"{self.name}.strength"


Parameter = Choice | Range | Operation


def format_option(option: Any) -> str:
    """Format an option of a choice: the name of a component, other values as YAML writes them on one line."""
    if isinstance(option, Mapping) and "use" in option:
        return str(option["use"])
    return option if isinstance(option, str) else json.dumps(option, ensure_ascii=False)
