"""The checks by kind. A check is a function of a `Case`; what it asserts is what the kind's contract says."""

from __future__ import annotations

from collections.abc import Callable

from sslreg.testing.case import Case

Check = Callable[[Case], None]

#: The checks of each kind, by their names, in the order in which they are written; those under "" are every kind's.
CHECKS: dict[str, dict[str, Check]] = {}


def check(kind: str = "") -> Callable[[Check], Check]:
    """Enter a function among the checks of a kind, or of all kinds."""

    def enter(function: Check) -> Check:
        CHECKS.setdefault(kind, {})[function.__name__] = function
        return function

    return enter
