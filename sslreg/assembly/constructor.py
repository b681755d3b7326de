"""Fills the constructors of components and calls them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sslreg.assembly.contract_check import adapt_object, adapt_to_contract
from sslreg.errors import UserError, type_name
from sslreg.registry import KINDS, ComponentInfo, installed
from sslreg.spec.bounds import require_bounds
from sslreg.spec.parameters import Parameter, Slot, parameters_of
from sslreg.views import WithProbability


def construct(
    info: ComponentInfo,
    params: Mapping[str, Any],
    *,
    build_nested: Callable[[Slot, Any], Any],
    positional: Sequence[Any] = (),
    facts: Mapping[str, Any] | None = None,
    fill_missing: Callable[[Parameter], Any] | None = None,
) -> Any:
    """Build a component.

    Args:
        info: the component.
        params: values for the constructor's parameters and for the kind's keys, such as `p` of augmentations.
        build_nested: returns the component for a value in a slot; called for each item of a slot with many.
        positional: the arguments that the run passes by position.
        facts: the facts of the run by their names in `sslreg.spec.from_run.FACTS`; None if unknown.
        fill_missing: returns the value of a required parameter that neither `params` nor `facts` give. By default, such
            a parameter is left to the constructor, which raises TypeError.

    Raises:
        ValueError: a value is outside of its bounds, or the constructor refuses it.
        UserError: the component does not fulfill its contract.

    Returns:
        The component. An augmentation or a loss is adapted to the contract; an augmentation is applied with its
        probability.
    """
    reserved = KINDS[info.kind].keys
    keys = {name: params.get(name, default) for name, (_, default) in reserved.items()}
    parameters = parameters_of(info)
    arguments = {
        name: _fill_slot(parameters.get(name), value, build_nested)
        for name, value in params.items()
        if name not in reserved
    }
    require_bounds(parameters, arguments)
    for name, parameter in parameters.items():
        fact = None if parameter.from_run is None or facts is None else facts.get(parameter.from_run)
        if name in arguments:
            continue
        if fact is not None:
            arguments[name] = fact
        elif parameter.required and fill_missing is not None:
            arguments[name] = fill_missing(parameter)
    target = info.load()
    with info.blame("constructor"):
        component = target(*positional, **arguments)
    component = adapt_to_contract(info, component)
    return component if keys.get("p", 1) == 1 else WithProbability(component, keys["p"])


def _fill_slot(parameter: Parameter | None, value: Any, build_nested: Callable[[Slot, Any], Any]) -> Any:
    """Return a value with its nested components built; values of other parameters are returned as they are.

    An object in a slot for losses or augmentations is adapted like a component that is named there.
    """
    slot = parameter.slot if parameter else None
    if slot is None or (value is None and slot.optional):
        return value
    if slot.many and isinstance(value, Sequence):
        return [_fit_slot(slot, build_nested(slot, item)) for item in value]
    return _fit_slot(slot, build_nested(slot, value))


def _fit_slot(slot: Slot, component: Any) -> Any:
    component = adapt_object(slot.kind, component)
    require_slot_contract(slot, component)
    return component


def require_slot_contract(slot: Slot, component: Any) -> None:
    """Check that a component derives from the class with which a slot is annotated.

    Raises:
        ValueError: it does not. The message names the installed components that do.
    """
    if slot.contract is None or issubclass(type(component), slot.contract):
        return
    fitting = [info.name for info in installed().of_kind(slot.kind) if _derives(info, slot.contract)]
    examples = f", such as {', '.join(fitting[:4])}" if fitting else ""
    raise ValueError(
        f"{type_name(component)} is no sslreg.{slot.contract.__name__}; "
        f"use a {KINDS[slot.kind].title} that is one{examples}"
    )


def _derives(info: ComponentInfo, contract: type) -> bool:
    """Return whether a component is a class that derives from a contract; False if it cannot be imported."""
    try:
        target = info.load()
    except UserError:
        return False
    return inspect.isclass(target) and issubclass(target, contract)
