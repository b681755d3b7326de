"""Fixtures of the tests of the conformance kit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sslreg.testing import conformance, temporary_components  # noqa: F401 - registers the checks
from sslreg.testing.case import Case
from sslreg.testing.checks import CHECKS


@pytest.fixture
def run_check() -> Callable[..., None]:
    """A function that runs a check: ``run_check("loss", MyLoss, "is_differentiable", model=MyModel)``.

    Components of other kinds are registered for the time of the check.
    """

    def run_check(kind: str, component: Any, check: str, **others: Any) -> None:
        components = {kind: component, **others}
        with temporary_components(**{each: {"under_test": target} for each, target in components.items()}) as catalog:
            CHECKS[kind][check](Case(catalog.get(kind, "under_test")))

    return run_check
