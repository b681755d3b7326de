"""Queries over runs: filter by conditions on values, sort by a value, find the best."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from typing import Any

from sslreg.errors import UserError
from sslreg.runs.records import MISSING, RunRecord, to_scalar
from sslreg.spec.yaml_scalars import parse_scalar
from sslreg.suggestions import did_you_mean

#: The functions of the operators that compare an order.
COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

_CONDITION = re.compile(r"([^=<>!]+?)\s*(!=|<=|>=|=|<|>)\s*(.*)", re.DOTALL)


def filter_runs(runs: Sequence[RunRecord], condition: str) -> list[RunRecord]:
    """Return the runs that match a condition ``PATH=VALUE``, with ``=``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``.

    VALUE is parsed as YAML. A run without the value matches only ``!=``.

    Raises:
        UserError: The text is not a condition, or no run has the value.
    """
    path, sign, operand = _parse_condition(condition)
    require_path(runs, path)
    return [run for run in runs if _matches(run.value(path), sign, operand)]


def count_missing(runs: Sequence[RunRecord], condition: str) -> int:
    """Return the number of runs that lack the value that a condition compares."""
    path, _, _ = _parse_condition(condition)
    return sum(run.value(path) is MISSING for run in runs)


def _parse_condition(condition: str) -> tuple[str, str, Any]:
    parsed = _CONDITION.fullmatch(condition)
    if parsed is None:
        raise UserError(
            f"{condition!r} is not a condition",
            hint="write PATH=VALUE, such as trainer.max_epochs=40 or 'final.knn_top1>0.9'",
            code="bad-argument",
        )
    path, sign, text = parsed.groups()
    return path, sign, parse_scalar(text.strip())


def sort_runs(runs: Sequence[RunRecord], path: str, *, descending: bool = False) -> list[RunRecord]:
    """Return the runs sorted by a value, those without it last. Raises UserError if no run has it."""
    require_path(runs, path)
    comparable = [run for run in runs if _is_comparable(run.value(path))]
    others = [run for run in runs if not _is_comparable(run.value(path))]
    return [*sorted(comparable, key=lambda run: _sort_key(run.value(path)), reverse=descending), *others]


def find_best_run(runs: Sequence[RunRecord], metric: str, *, lowest: bool = False) -> tuple[RunRecord, float]:
    """Return the run with the best figure of this name, and the figure; of equal ones the oldest run.

    The largest figure is best, for a loss the smallest.

    Args:
        runs: The runs, oldest first.
        metric: The name of the figure.
        lowest: Whether the smallest figure is best.

    Raises:
        UserError: No run has such a figure.
    """
    candidates = [(run, value) for run in runs if _is_number(value := _find_figure(run, metric))]
    if not candidates:
        raise UserError(
            f"no run has a figure called {metric!r}",
            hint=did_you_mean(metric, {name for run in runs for name in run.figures()}),
            code="unknown-path",
        )
    direction = -1 if lowest or metric.rpartition(".")[2] == "loss" else 1
    return max(candidates, key=lambda candidate: direction * candidate[1])


def _find_figure(run: RunRecord, metric: str) -> Any:
    figure = run.figure(metric)
    return run.value(metric) if figure is MISSING else figure


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def require_path(runs: Sequence[RunRecord], path: str) -> None:
    """Raise a UserError with the nearest existing path if no run has a value at this one."""
    if runs and all(run.value(path) is MISSING for run in runs):
        known = {known for run in runs for known in run.paths()}
        raise UserError(
            f"no run has a value at {path!r}",
            hint=did_you_mean(path, known) or "sslreg runs show RUN lists the paths of a run's spec and summary",
            code="unknown-path",
        )


def _matches(value: Any, sign: str, operand: Any) -> bool:
    if value is MISSING:
        return sign == "!="
    value = to_scalar(value)
    if sign in ("=", "!="):
        is_equal = value == operand and isinstance(value, bool) is isinstance(operand, bool)
        return is_equal is (sign == "=")
    try:
        result: bool = COMPARISONS[sign](value, operand)
    except TypeError:
        return False
    return result


def _is_comparable(value: Any) -> bool:
    value = to_scalar(value)
    return value is not MISSING and value is not None and not (isinstance(value, float) and math.isnan(value))


def _sort_key(value: Any) -> tuple[bool, Any]:
    """Sort numbers before text, because the two cannot be compared."""
    value = to_scalar(value)
    return (False, value) if isinstance(value, int | float) else (True, str(value))
