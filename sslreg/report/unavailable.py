"""What a report cannot show, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sslreg.errors import SslregError

T = TypeVar("T")


@dataclass(frozen=True)
class Missing:
    """Stands in the place of a part of a report. reason: a sentence without its end, for people."""

    reason: str


def attempt(make: Callable[[], T]) -> T | Missing:
    """What `make` returns, or what kept it from that: data that is gone, a checkpoint that is not there."""
    try:
        return make()
    except SslregError as error:
        return Missing(error.diagnostics[0].message)
