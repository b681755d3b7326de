"""The checks of components of any kind."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

from sslreg.registry import KINDS
from sslreg.spec.parameters import parameters_of
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.example_arguments import values_out_of_bounds


@check()
def has_a_summary_and_a_docstring(case: Case) -> None:
    assert case.info.summary, f"{case} has no summary; pass one to registry.{case.info.kind}: summary='…'"
    assert inspect.getdoc(case.info.load()), f"{case.info.target} has no docstring, which `sslreg plugins show` prints"


@check()
def derives_from_the_contract(case: Case) -> None:
    contract, target = KINDS[case.info.kind].contract, case.info.load()
    if contract is None or case.info.kind in ("augmentation", "dataset") or not inspect.isclass(target):
        return  # plain callables and torch's data sets need no base class; other checks test what functions return
    module, _, name = contract.partition(":")
    assert issubclass(target, getattr(import_module(module), name)), f"{case.info.target} is not a sslreg.{name}"


@check()
def can_be_written_in_a_spec(case: Case) -> None:
    unwritable = parameters_of(case.info).unwritable
    assert not unwritable, (
        f"no spec can set {', '.join(unwritable)}: they have no default, and YAML cannot express their types"
    )


@check()
def refuses_values_out_of_bounds(case: Case) -> None:
    target = case.info.load()
    for name, parameter in parameters_of(case.info).items():
        for value in values_out_of_bounds(parameter):
            assert _first_error(target, name, value).startswith(f"{name} is {value!r}; "), (
                f"{case.info.target}({name}={value!r}) must refuse what no spec may contain; "
                "decorate it with @sslreg.enforce_bounds"
            )


def _first_error(target: Callable[..., Any], name: str, value: Any) -> str:
    """Return the message with which a constructor refuses an argument; others may be missing."""
    try:
        target(**{name: value})
    except (TypeError, ValueError) as error:
        return str(error)
    return ""
