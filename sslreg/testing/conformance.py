"""Tests of whether components keep their contracts, for every component that a distribution registers.

In a plugin's tests::

    from sslreg.testing import conformance

    test_conformance = conformance.of("acme-ssl")

is a test for each component and each check of its kind, named like ``loss/acme_loss-is_differentiable``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from sslreg.errors import UserError
from sslreg.registry import ComponentInfo, installed
from sslreg.testing import (  # noqa: F401 - importing them enters their checks
    augmentations,
    backbones,
    datasets,
    evaluators,
    losses,
    memory_banks,
    models,
    optimizers,
    readers,
    registration,
    runs,
)
from sslreg.testing.case import Case
from sslreg.testing.checks import CHECKS, Check
from sslreg.testing.runs import trains

__all__ = ["of", "trains"]


def of(
    distribution: str,
    *,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    leave_out: Mapping[str, str] | None = None,
    largest: float = 3e7,
    images: Mapping[str, Sequence[bytes | Path]] | None = None,
) -> Callable[[Case, Check], None]:
    """A test, parametrized over the distribution's components and their checks.

    parameters: for components by ``kind/name``, what a spec would give them; needed where a required parameter cannot
        be guessed from its type. leave_out: components that are not to be tested, by ``kind/name`` or a pattern
        of it, with the reason; each is a skipped test. largest: backbones of more parameters are only checked
        for the shapes that they give.
    images: For readers by ``kind/name``, encoded images of their format, as bytes or paths; at least one each.

    UserError: the distribution is not installed, or one of its plugins does not load.
    """
    cases: list[Any] = []
    for info in _components(distribution):
        name = f"{info.kind}/{info.name}"
        if reason := _reason(name, leave_out or {}):
            cases.append(pytest.param(None, None, id=name, marks=pytest.mark.skip(reason=reason)))
            continue
        case = Case(info, (parameters or {}).get(name, {}), largest, images=(images or {}).get(name, ()))
        cases += [pytest.param(case, check, id=f"{name}-{check.__name__}") for check in checks_of(info.kind)]

    @pytest.mark.parametrize(("case", "check"), cases)
    def test_conformance(case: Case, check: Check) -> None:
        check(case)

    return test_conformance


def _components(distribution: str) -> list[ComponentInfo]:
    reports = [plugin for plugin in installed().plugins if plugin.distribution == distribution]
    if not reports:
        raise UserError(
            f"no plugin of a distribution {distribution!r} is installed",
            hint="install the package that you are testing: pip install -e .",
        )
    for report in reports:
        if report.status != "loaded":
            raise UserError(f"{report} is {report.status}: {report.error}", hint="see sslreg plugins doctor")
    return [info for report in reports for info in report.components]


def checks_of(kind: str) -> list[Check]:
    """The checks that a component of a kind goes through."""
    return [*CHECKS[""].values(), *CHECKS.get(kind, {}).values()]


def _reason(name: str, leave_out: Mapping[str, str]) -> str | None:
    return next((reason for pattern, reason in leave_out.items() if fnmatch(name, pattern)), None)
