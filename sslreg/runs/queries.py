"""Choosing among runs: by conditions on their values, and by the order of one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from sslreg.errors import UserError
from sslreg.runs.records import MISSING, RunRecord, as_scalar
from sslreg.spec.yaml_scalars import parse_scalar
from sslreg.suggestions import did_you_mean

_CONDITION = re.compile(r"([^=<>!]+?)\s*(!=|<=|>=|=|<|>)\s*(.*)", re.DOTALL)


def matching(runs: Sequence[RunRecord], condition: str) -> list[RunRecord]:
    """The runs for which a condition holds: ``PATH=VALUE``, with ``=``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``.

    VALUE is read as YAML. A run without the value matches ``!=`` alone. UserError: it is no condition, or no run has
    the value.
    """
    path, sign, wanted = _parsed(condition)
    require_path(runs, path)
    return [run for run in runs if _holds(run.value(path), sign, wanted)]


def lacking(runs: Sequence[RunRecord], condition: str) -> int:
    """How many runs have no value that the condition could be about."""
    path, _, _ = _parsed(condition)
    return sum(run.value(path) is MISSING for run in runs)


def _parsed(condition: str) -> tuple[str, str, Any]:
    parsed = _CONDITION.fullmatch(condition)
    if parsed is None:
        raise UserError(
            f"{condition!r} is no condition",
            hint="write PATH=VALUE, such as trainer.max_epochs=40 or 'final.knn_top1>0.9'",
            code="bad-argument",
        )
    path, sign, text = parsed.groups()
    return path, sign, parse_scalar(text.strip())


def ordered(runs: Sequence[RunRecord], path: str, *, descending: bool = False) -> list[RunRecord]:
    """The runs by a value, those without it last. UserError: no run has it."""
    require_path(runs, path)
    having = [run for run in runs if _is_comparable(run.value(path))]
    lacking = [run for run in runs if not _is_comparable(run.value(path))]
    return [*sorted(having, key=lambda run: _rank(run.value(path)), reverse=descending), *lacking]


def best_run(runs: Sequence[RunRecord], metric: str, *, lowest: bool = False) -> tuple[RunRecord, float]:
    """The run with the best figure of this name, and the figure; of equal ones the oldest.

    The largest is best, of a loss the smallest, or `lowest` says so. UserError: no run has such a figure.
    """
    having = [(run, value) for run in runs if _is_number(value := _figure(run, metric))]
    if not having:
        raise UserError(
            f"no run has a figure called {metric!r}",
            hint=did_you_mean(metric, {name for run in runs for name in run.figures()}),
            code="unknown-path",
        )
    sign = -1 if lowest or metric.rpartition(".")[2] == "loss" else 1
    return max(having, key=lambda found: sign * found[1])


def _figure(run: RunRecord, metric: str) -> Any:
    found = run.figure(metric)
    return run.value(metric) if found is MISSING else found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def require_path(runs: Sequence[RunRecord], path: str) -> None:
    """UserError, with the nearest path that leads somewhere: no run has a value at this one."""
    if runs and all(run.value(path) is MISSING for run in runs):
        known = {known for run in runs for known in run.paths()}
        raise UserError(
            f"no run has a value at {path!r}",
            hint=did_you_mean(path, known) or "a path leads into a run's spec or summary: sslreg runs show RUN",
            code="unknown-path",
        )


def _holds(value: Any, sign: str, wanted: Any) -> bool:
    if value is MISSING:
        return sign == "!="
    value = as_scalar(value)
    if sign in ("=", "!="):
        return (value == wanted and isinstance(value, bool) is isinstance(wanted, bool)) is (sign == "=")
    try:
        order: bool = {"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[sign]
    except TypeError:
        return False
    return order


def _is_comparable(value: Any) -> bool:
    value = as_scalar(value)
    return value is not MISSING and value is not None and not (isinstance(value, float) and math.isnan(value))


def _rank(value: Any) -> tuple[bool, Any]:
    """Numbers before text, since the two cannot be compared."""
    value = as_scalar(value)
    return (False, value) if isinstance(value, int | float) else (True, str(value))
