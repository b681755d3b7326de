"""The search space of a study: its parameters, and the specs that their values stand for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

import sslreg
from sslreg_tune.balanced_design import draw_signs, next_order, stratify
from sslreg_tune.over import parse_all_over
from sslreg_tune.parameters import Choice, Level, Operation, Parameter, Range, Values, format_option
from sslreg_tune.spec_values import ABSENT, find_value, format_overrides
from sslreg_tune.view_space import ViewSpace, format_views
from sslreg_tune.view_space_builder import build_view_space

if TYPE_CHECKING:
    import optuna

#: The smallest strength that is tried. Strengths are searched by their logarithm, because those of common recipes are
#: between a tenth (the rotation of digits) and 1 (crops of photographs), and most often below a half.
MIN_STRENGTH = 0.05

#: The strength in a grid of operations that the starting spec lacks.
GRID_STRENGTH = 0.25

#: The largest number of combinations in a grid.
MAX_GRID = 1000


@dataclass(frozen=True)
class SearchSpace:
    """The parameters that a study searches.

    Attributes:
        parameters: The parameters.
        starting: The values of the starting spec; None if it lies outside of the space.
        written: The value of each path in the starting spec, as far as it has one.
        views: The operations of the views, if they are searched.
    """

    parameters: tuple[Parameter, ...]
    starting: Values | None
    written: Mapping[str, Any] = field(default_factory=dict, repr=False)
    views: ViewSpace | None = field(default=None, repr=False)

    def suggest(self, trial: optuna.trial.BaseTrial) -> Values:
        """Return values that Optuna suggests for a trial. The strength of an operation exists only if it is scaled.

        Args:
            trial: A running trial, or a `FixedTrial` or `FrozenTrial`, whose values are returned.
        """
        values: Values = {}
        for parameter in self.parameters:
            match parameter:
                case Choice():
                    label = trial.suggest_categorical(parameter.name, _labels(parameter))
                    values[parameter.name] = parameter.options[_labels(parameter).index(label)]
                case Range(is_integer=True):
                    low, high = int(parameter.low), int(parameter.high)
                    values[parameter.name] = trial.suggest_int(parameter.name, low, high, log=parameter.log)
                case Range():
                    number = trial.suggest_float(parameter.name, parameter.low, parameter.high, log=parameter.log)
                    values[parameter.name] = _round_number(parameter, number)
                case Operation():
                    values[parameter.name] = trial.suggest_categorical(parameter.name, parameter.levels)
                    if values[parameter.name] == "scaled":
                        strength = trial.suggest_float(parameter.strength, MIN_STRENGTH, 1.0, log=True)
                        values[parameter.strength] = round(strength, 2)
        return values

    def to_params(self, values: Values) -> dict[str, Any]:
        """Return values as Optuna has them, for ``study.enqueue_trial``. Options that it cannot store are JSON."""
        params = dict(values)
        for parameter in self.parameters:
            if isinstance(parameter, Choice):
                params[parameter.name] = _labels(parameter)[parameter.options.index(values[parameter.name])]
        return params

    @property
    def design_size(self) -> int:
        """The number of trials of a design in which the effects of all operations can be told apart."""
        operations = sum(isinstance(parameter, Operation) for parameter in self.parameters)
        return next_order(max(operations, len(self.parameters) - operations) + 1)

    def design(self, count: int, seed: int) -> list[Values]:
        """Return values for the first trials, from which main effects can be estimated well.

        Each operation is on in half of the trials, as `sslreg_tune.balanced_design.draw_signs` describes. Trials in
        which it is on have its levels equally often. Options are balanced. Strengths and ranges are stratified: a
        Latin hypercube.

        Args:
            count: The number of trials. If it is not a multiple of the order of a Hadamard matrix, effects are
                estimated less independently; below the number of operations, some cannot be told apart.
            seed: The seed of everything that is drawn.
        """
        rng = np.random.default_rng(seed)
        trials: list[Values] = [{} for _ in range(count)]
        operations = [parameter for parameter in self.parameters if isinstance(parameter, Operation)]
        signs = draw_signs(rng, count, len(operations))
        for parameter in self.parameters:
            if isinstance(parameter, Operation):
                on = [
                    trial for trial, is_on in zip(trials, signs[:, operations.index(parameter)], strict=True) if is_on
                ]
                for trial in trials:
                    trial[parameter.name] = "off"
                _set_levels(rng, parameter, on)
            else:
                for trial, position in zip(trials, stratify(rng, count), strict=True):
                    trial[parameter.name] = _value_at(parameter, float(position))
        return trials

    def grid(self) -> list[Values]:
        """Return all combinations of options, and of operations that are on or off.

        An operation that is on is as the starting spec has it, or else with a strength of 0.25.

        Raises:
            UserError: A parameter is a range, or there are more than 1000 combinations.
        """
        for parameter in self.parameters:
            if isinstance(parameter, Range):
                raise sslreg.UserError(
                    f"--over {parameter.name} is a range, which has no grid",
                    hint=f"name the values: --over {parameter.name}={parameter.low:g},{parameter.high:g}",
                    code="over",
                )
        choices = [_grid_values(parameter) for parameter in self.parameters]
        if (count := math.prod(map(len, choices))) > MAX_GRID:
            raise sslreg.UserError(
                f"the grid has {count:,} combinations, more than {MAX_GRID:,}",
                hint="name fewer values, leave out --views, or search without --grid",
                code="too-large",
            )
        return [
            {name: value for one in combination for name, value in one.items()} for combination in product(*choices)
        ]

    def toggle(self, values: Values, operation: Operation) -> Values:
        """Return values with one operation on instead of off, or off instead of on. On is as `grid` has it."""
        others = {name: value for name, value in values.items() if name not in (operation.name, operation.strength)}
        off, on = _grid_values(operation)
        return others | (on if values[operation.name] == "off" else off)

    def overrides(self, values: Values) -> list[str]:
        """Return the arguments of ``--set`` that turn the starting spec into the one with these values."""
        arguments = format_overrides({name: values[name] for name in self._paths()})
        if self.views is not None and any(values[one.name] != one.starts for one in self.views.operations):
            arguments.append(format_views(self.views.build_views(values)))
        return arguments

    def describe(self, values: Values) -> str:
        """Return the differences from the starting spec, such as ``elastic .40, no horizontal_flip, lr .2``."""
        parts = []
        for parameter in self.parameters:
            if isinstance(parameter, Operation):
                parts.append(_describe_operation(parameter, values))
            elif values[parameter.name] != self.written.get(parameter.name, ABSENT):
                parts.append(f"{self._short_name(parameter.name)} {format_value(values[parameter.name])}")
        return ", ".join(filter(None, parts)) or "the starting spec"

    def to_dict(self) -> dict[str, Any]:
        """Return the space as plain data, which is equal for equal spaces."""
        return {"parameters": [_to_dict(parameter) for parameter in self.parameters], "starting": self.starting}

    def _paths(self) -> list[str]:
        return [parameter.name for parameter in self.parameters if not isinstance(parameter, Operation)]

    def _short_name(self, path: str) -> str:
        """Return the last keys of a path that no other path ends with; ``loss`` for the path ``loss.use``."""
        keys = path.removesuffix(".use").split(".")
        others = [other.removesuffix(".use").split(".") for other in self._paths() if other != path]
        for length in range(1, len(keys)):
            if all(other[-length:] != keys[-length:] for other in others):
                return ".".join(keys[-length:])
        return ".".join(keys)


def build_search_space(
    spec: sslreg.Spec, over: Sequence[str] = (), views: bool = False, overrides: Sequence[str] = ()
) -> SearchSpace:
    """Return the search space of a spec.

    Args:
        spec: The starting spec.
        over: The arguments of ``--over``.
        views: Whether to search the operations of the views.
        overrides: The arguments of ``--set`` with which the spec was loaded.

    Raises:
        UserError: An argument of ``--over`` is wrong, or the views cannot be made.
    """
    parameters = parse_all_over(over, spec, overrides, views=views)
    written = {one.name: find_value(spec, one.name) for one in parameters}
    inside = all(_is_inside(one, written[one.name]) for one in parameters)
    starting = {one.name: _starting_value(one, written[one.name]) for one in parameters} if inside else None
    if not views:
        return SearchSpace(tuple(parameters), starting, written)
    view_space = build_view_space(spec, overrides)
    if starting is not None:
        starting |= {one.name: one.starts for one in view_space.operations}
    return SearchSpace((*parameters, *view_space.operations), starting, written, view_space)


def _is_inside(parameter: Choice | Range, value: Any) -> bool:
    if isinstance(parameter, Choice):
        return value in parameter.options
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and parameter.low <= value <= parameter.high


def _starting_value(parameter: Choice | Range, value: Any) -> Any:
    """Return a value of the starting spec as the parameter has it: 1 and 1.0 are the same option."""
    if isinstance(parameter, Choice):
        return parameter.options[parameter.options.index(value)]
    return value if parameter.is_integer else float(value)


def _labels(choice: Choice) -> list[Any]:
    """Return what Optuna stores for each option: the option if all are numbers or all are strings, else its JSON."""
    kinds = {type(option) for option in choice.options}
    if kinds in ({str}, {bool}) or kinds <= {int, float}:
        return list(choice.options)
    return [json.dumps(option, ensure_ascii=False) for option in choice.options]


def _set_levels(rng: np.random.Generator, operation: Operation, trials: Sequence[Values]) -> None:
    """Give trials in which an operation is on its levels equally often, with stratified strengths."""
    levels: list[Level] = [level for level in operation.levels if level != "off"]
    for trial, position in zip(trials, stratify(rng, len(trials)), strict=True):
        trial[operation.name] = levels[int(position * len(levels))]
    scaled = [trial for trial in trials if trial[operation.name] == "scaled"]
    for trial, position in zip(scaled, stratify(rng, len(scaled)), strict=True):
        trial[operation.strength] = round(MIN_STRENGTH ** (1.0 - float(position)), 2)


def _value_at(parameter: Choice | Range, position: float) -> Any:
    """Return the value at a position in [0, 1) of a parameter."""
    if isinstance(parameter, Choice):
        return parameter.options[int(position * len(parameter.options))]
    low, high = parameter.low, parameter.high
    if parameter.is_integer:
        # Each integer has a separate interval, on the scale that is searched.
        low, high = low - 0.5, high + 0.5
    value = low * (high / low) ** position if parameter.log else low + (high - low) * position
    if parameter.is_integer:
        return round(min(parameter.high, max(parameter.low, value)))
    return _round_number(parameter, value)


def _round_number(parameter: Range, value: float) -> float:
    """Return a real number of a range with three digits, as one would write it."""
    is_wide = parameter.log and parameter.high > 2 * parameter.low
    span = abs(value) if is_wide else parameter.high - parameter.low
    rounded = round(value, 2 - math.floor(math.log10(span)))
    return min(parameter.high, max(parameter.low, rounded))


def _grid_values(parameter: Parameter) -> list[Values]:
    match parameter:
        case Choice():
            return [{parameter.name: option} for option in parameter.options]
        case Operation(levels=levels) if "as written" in levels:
            return [{parameter.name: "off"}, {parameter.name: "as written"}]
        case Operation():
            return [{parameter.name: "off"}, {parameter.name: "scaled", parameter.strength: GRID_STRENGTH}]
    return []


def _describe_operation(operation: Operation, values: Values) -> str:
    level = values[operation.name]
    if level == "scaled":
        return f"{operation.name} {format_value(values[operation.strength], '.2f')}"
    if level == operation.starts:
        return ""
    return operation.name if level == "as written" else f"no {operation.name}"


def format_value(value: Any, form: str = ".3g") -> str:
    """Format a value for a short text, real numbers without a leading zero."""
    if not isinstance(value, float):
        return format_option(value)
    text = f"{value:{form}}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _to_dict(parameter: Parameter) -> dict[str, Any]:
    data: dict[str, Any] = {"type": type(parameter).__name__.lower(), **asdict(parameter)}
    if isinstance(parameter, Operation):
        data["invariances"] = sorted(parameter.invariances)
    plain: dict[str, Any] = json.loads(json.dumps(data))
    return plain
