"""The registry of checks. A check is a function of a `Case` that asserts a part of the contract of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sslreg.errors import describe_error
from sslreg.testing.case import Case

Check = Callable[[Case], None]

#: The checks of each kind by name, in the order of their definition. Those under "" are for every kind.
CHECKS: dict[str, dict[str, Check]] = {}


def check(kind: str = "") -> Callable[[Check], Check]:
    """Register a function as a check of a kind, or of all kinds."""

    def register(function: Check) -> Check:
        CHECKS.setdefault(kind, {})[function.__name__] = function
        return function

    return register


@contextmanager
def explain(fault: str) -> Iterator[None]:
    """Turn an exception of the component under test into a failed assertion that states its fault.

    Raises:
        AssertionError: The block raised an exception.
    """
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{fault}: {describe_error(error)}") from error
