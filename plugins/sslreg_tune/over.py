"""Ranges and choices of ``--over``: parses them and compares them with the spec."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any, NoReturn

import yaml

import sslreg
from sslreg_tune.parameters import Choice, Range
from sslreg_tune.spec_values import format_overrides

_NUMBER = r"[-+]?(?:\.\d+|\d+(?:\.\d+)?)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(:log)?")

_FORM = "write PATH=LOW..HIGH, PATH=LOW..HIGH:log or PATH=A,B,C"

#: The file name of diagnostics about the arguments of ``--set`` in errors of `sslreg.load_spec`.
_SET = "--set"
_OVER = "--over"

#: A function that raises a `UserError` about values that it does not accept.
Accept = Callable[[Mapping[str, Any]], object]

#: Why data sets cannot be searched.
_SAME_DATA = "trials are comparable only if all of them are judged on the same data"

#: Paths that cannot be searched, each with the reason.
_REFUSED = {
    "seed": "all trials share the seed, so that they differ only in what is searched",
    "evaluate": "the evaluators judge the trials, so they have to be the same in all of them",
    **{f"data.{key}": _SAME_DATA for key in ("test", "reference", "split", "validation")},
}


def parse_over(argument: str) -> Choice | Range:
    """Parse an argument of ``--over``.

    ``PATH=LOW..HIGH`` is a range and ``PATH=LOW..HIGH:log`` one that is searched by its logarithm.
    ``PATH=A,B,C`` is a choice. Its options are YAML values, which may be lists or components:
    ``model.projection=[256, 128],[64]`` and ``optimizer={use: sgd, lr: 0.1},{use: adamw, lr: 1e-3}``. A single list
    contains the options: ``[16, 32]`` is ``16,32``, and ``[[256, 128], [64]]`` is ``[256, 128],[64]``.

    Raises:
        UserError: The argument has another form, its bounds are not a range, or it has less than two options.
    """
    path, _, text = (part.strip() for part in argument.partition("="))
    if not path or not text:
        _refuse(argument, "it names no values" if path else "it names no path", _FORM)
    if match := _RANGE.fullmatch(text):
        return _parse_range(argument, path, *match.groups())
    options = _parse_options(argument, text)
    if len(options) < 2:
        _refuse(argument, "it has a single option", f"{_FORM}; one value alone is --set {argument}")
    keys = [json.dumps(option, sort_keys=True) for option in options]
    if repeated := next((key for key in keys if keys.count(key) > 1), None):
        _refuse(argument, f"it has the option {repeated} twice", "name each option once")
    return Choice(path, tuple(options))


def _refuse(argument: str, message: str, hint: str) -> NoReturn:
    raise sslreg.UserError(f"--over {argument}: {message}", hint=hint, code="over")


def _parse_range(argument: str, path: str, low_text: str, high_text: str, log: str | None) -> Range:
    low, high = sslreg.load_yaml(low_text), sslreg.load_yaml(high_text)
    if low > high:
        _refuse(argument, f"the range is inverted: {low} is above {high}", f"write {path}={high_text}..{low_text}")
    if low == high:
        _refuse(argument, f"the range is empty: both bounds are {low}", f"one value alone is --set {path}={low_text}")
    if log and low <= 0:
        _refuse(argument, f"the bound {low} has no logarithm", "choose bounds above zero, or remove :log")
    if isinstance(low, float) or isinstance(high, float):
        low, high = float(low), float(high)
    return Range(path, low, high, log=bool(log))


def _parse_options(argument: str, text: str) -> list[Any]:
    try:
        options = sslreg.load_yaml(f"[{text}]")
        json.dumps(options, allow_nan=False)
    except (yaml.YAMLError, ValueError, RecursionError):
        _refuse(argument, "its options are not YAML values", f"{_FORM}; put text with special characters in quotes")
    if len(options) == 1 and isinstance(options[0], list):
        options = options[0]
    return list(options)


def parse_all_over(
    arguments: Sequence[str], spec: sslreg.Spec, overrides: Sequence[str] = (), *, views: bool = False
) -> list[Choice | Range]:
    """Parse the arguments of ``--over``, and load the spec with the bounds of ranges and with each option.

    A range with integers as bounds has integers as values, unless the spec accepts a fraction there.

    Args:
        arguments: The arguments.
        spec: The starting spec.
        overrides: The arguments of ``--set`` with which it was loaded.
        views: Whether the views are searched as well, so that their paths are refused.

    Raises:
        UserError: An argument cannot be parsed, a path cannot be searched, or the spec refuses a value or two values
            of different parameters together.
    """
    parameters = [parse_over(argument) for argument in arguments]
    for number, parameter in enumerate(parameters):
        _require_searchable(arguments[number], parameter.name, spec, views)
        _require_separate(arguments[number], parameter.name, [other.name for other in parameters[:number]])
    loader = _Loader(spec, overrides, {one.name: argument for one, argument in zip(parameters, arguments, strict=True)})
    loader.require_valid({one.name: value} for one in parameters for value in _extremes(one))
    parameters = [_with_value_type(one, loader) for one in parameters]
    loader.require_valid({one.name: _middle(one)} for one in parameters if isinstance(one, Range))
    loader.require_valid(
        {first.name: value, second.name: other}
        for first, second in combinations(parameters, 2)
        for value, other in product(_extremes(first), _extremes(second))
    )
    loader.require_trainable(_combine_extremes(parameters))
    return parameters


def _require_searchable(argument: str, path: str, spec: sslreg.Spec, views: bool) -> None:
    refused = dict(_REFUSED)
    if spec.data.split is not None or spec.data.whole_reference == "train":
        refused["data.train"] = f"evaluators learn from the training set, and {_SAME_DATA}"
    for outer, reason in refused.items():
        if _contains(outer, path) or _contains(path, outer):
            _refuse(argument, f"{outer} cannot be searched: {reason}", "search another value")
    if views and _contains("views", path):
        _refuse(argument, "--views searches the views already", "leave out --views, or this path")


def _require_separate(argument: str, path: str, others: Iterable[str]) -> None:
    for other in others:
        if path == other:
            _refuse(argument, f"{path} is searched twice", "write one --over with all values")
        if _contains(other, path) or _contains(path, other):
            outer, inner = sorted((other, path), key=len)
            _refuse(argument, f"{inner} is a part of {outer}, which is searched, too", "search one of them")


def _contains(outer: str, path: str) -> bool:
    return path == outer or path.startswith(f"{outer}.")


def _extremes(parameter: Choice | Range) -> list[Any]:
    """Return the values with which a spec is loaded to find out whether it accepts all of them."""
    return list(parameter.options) if isinstance(parameter, Choice) else [parameter.low, parameter.high]


def _combine_extremes(parameters: Sequence[Choice | Range]) -> list[dict[str, Any]]:
    """Return the fewest combinations in which each extreme value of each parameter occurs."""
    extremes = {parameter.name: _extremes(parameter) for parameter in parameters}
    count = max(map(len, extremes.values()), default=0)
    return [{name: values[number % len(values)] for name, values in extremes.items()} for number in range(count)]


def _middle(parameter: Range) -> float:
    middle = (parameter.low + parameter.high) / 2
    return round(middle) if parameter.is_integer else middle


def _with_value_type(parameter: Choice | Range, loader: _Loader) -> Choice | Range:
    """Return a range with real bounds if the spec accepts fractions."""
    if not isinstance(parameter, Range) or not parameter.is_integer:
        return parameter
    real = replace(parameter, low=float(parameter.low), high=float(parameter.high))
    return real if loader.accepts({parameter.name: parameter.low + 0.5}) else parameter


class _Loader:
    """Loads the starting spec with other values.

    Args:
        spec: The starting spec.
        overrides: The arguments of ``--set`` with which it was loaded.
        arguments: The argument of ``--over`` for each path.
    """

    def __init__(self, spec: sslreg.Spec, overrides: Sequence[str], arguments: Mapping[str, str]) -> None:
        self._file = spec.file
        self._overrides = list(overrides)
        self._arguments = arguments

    def accepts(self, values: Mapping[str, Any]) -> bool:
        """Return whether the spec is valid with these values."""
        return _succeeds(self._load, values)

    def require_valid(self, candidates: Iterable[Mapping[str, Any]]) -> None:
        """Raise `UserError` with all mistakes of the spec with any of the candidates."""
        self._require(self._load, candidates)

    def require_trainable(self, combinations: Iterable[Mapping[str, Any]]) -> None:
        """Raise `UserError` with all mistakes that `sslreg check` finds in the spec with any of the combinations."""
        for combination in combinations:
            if not _succeeds(self._try, combination):
                self._require(self._try, ({name: value} for name, value in combination.items()))
                self._require(self._try, [combination])

    def _require(self, accept: Accept, candidates: Iterable[Mapping[str, Any]]) -> None:
        """Raise `UserError` with all mistakes that a function reports about candidates."""
        diagnostics: dict[sslreg.Diagnostic, None] = {}
        sources: dict[str, str] = {}
        for values in candidates:
            try:
                accept(values)
            except sslreg.UserError as error:
                diagnostics |= dict.fromkeys(self._rename(error, values))
                sources |= error.sources
        if diagnostics:
            combined = sslreg.UserError(*diagnostics)
            combined.sources = {**sources, _OVER: "\n".join(self._arguments.values())}
            raise combined

    def _load(self, values: Mapping[str, Any]) -> sslreg.Spec:
        return sslreg.load_spec(self._file, [*self._overrides, *format_overrides(values)])

    def _try(self, values: Mapping[str, Any]) -> None:
        sslreg.try_spec(self._load(values))

    def _rename(self, error: sslreg.UserError, values: Mapping[str, Any]) -> list[sslreg.Diagnostic]:
        """Return the errors of loading with the locations of arguments of ``--over``."""
        return [
            self._rename_one(diagnostic, format_overrides(values))
            for diagnostic in error.diagnostics
            if diagnostic.severity == "error"
        ]

    def _rename_one(self, diagnostic: sslreg.Diagnostic, added: Sequence[str]) -> sslreg.Diagnostic:
        number = (diagnostic.line or 0) - len(self._overrides) - 1
        if diagnostic.file != _SET or not 0 <= number < len(added):
            message, hint = f"with {' and '.join(added)}: {diagnostic.message}", "search other values"
            return replace(diagnostic, message=message, hint=diagnostic.hint or hint)
        path = added[number].partition("=")[0]
        message = diagnostic.message.replace(_SET, _OVER)
        if len(added) > 1:
            message = f"with {' and '.join(added)}: {message}"
        line = list(self._arguments).index(path) + 1
        column = min(diagnostic.column or 1, len(path) + 2)
        return replace(diagnostic, message=message, file=_OVER, line=line, column=column)


def _succeeds(accept: Accept, values: Mapping[str, Any]) -> bool:
    try:
        accept(values)
    except sslreg.UserError:
        return False
    return True
