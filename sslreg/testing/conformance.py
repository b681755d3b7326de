"""Conformance tests for every component that a distribution registers.

In a plugin's tests::

    from sslreg.testing import conformance

    test_conformance = conformance.of("acme-ssl")

defines a test for each component and each check of its kind, named like ``loss/acme_loss-is_differentiable``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from sslreg.errors import UserError
from sslreg.registry import ComponentInfo, installed
from sslreg.testing import (  # noqa: F401 - importing them registers their checks
    augmentations,
    backbones,
    datasets,
    evaluators,
    losses,
    mask_samplers,
    memory_banks,
    models,
    optimizers,
    patch_backbones,
    readers,
    registration,
    runs,
    teachers,
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
    """Return a test that is parametrized over the distribution's components and their checks.

    Args:
        distribution: The name of the distribution.
        parameters: Parameters of components as in a spec, by ``kind/name``. They are needed if a required parameter
            cannot be guessed from its type.
        leave_out: Components that are not tested, by ``kind/name`` or a pattern, with the reason. Each is a skipped
            test.
        largest: Of backbones with more parameters, only the shapes of their features are checked.
        images: Encoded images for each reader by ``kind/name``, as bytes or paths; at least one each.

    Raises:
        UserError: The distribution is not installed, or one of its plugins does not load.
    """
    cases: list[Any] = []
    for info in _components(distribution):
        name = f"{info.kind}/{info.name}"
        if reason := _skip_reason(name, leave_out or {}):
            cases.append(pytest.param(None, None, id=name, marks=pytest.mark.skip(reason=reason)))
            continue
        others = parameters or {}
        case = Case(info, others.get(name, {}), largest, images=(images or {}).get(name, ()), others=others)
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
            hint="install the package under test: pip install -e .",
        )
    for report in reports:
        if report.status != "loaded":
            raise UserError(f"{report} is {report.status}: {report.error}", hint="see sslreg plugins doctor")
    return [info for report in reports for info in report.components]


def checks_of(kind: str) -> list[Check]:
    """Return the checks of a kind."""
    return [*CHECKS[""].values(), *CHECKS.get(kind, {}).values()]


def _skip_reason(name: str, leave_out: Mapping[str, str]) -> str | None:
    return next((reason for pattern, reason in leave_out.items() if fnmatch(name, pattern)), None)
