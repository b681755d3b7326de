"""Parts of a report that are unavailable, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sslreg.errors import SslregError

T = TypeVar("T")


@dataclass(frozen=True)
class Unavailable:
    """The reason why a part of a report is not shown: a sentence without its period."""

    reason: str


def catch_unavailable(make: Callable[[], T]) -> T | Unavailable:
    """Return the result of `make`, or its error as the reason: data or a checkpoint that is missing, for example."""
    try:
        return make()
    except SslregError as error:
        return Unavailable(error.diagnostics[0].message)
