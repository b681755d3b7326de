"""Enforces the bounds that signatures declare in direct calls, as validation does in specs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, wraps
from typing import Any, Literal, TypeVar, get_args, get_origin

from sslreg.spec.parameters import Parameter, signature_parameters
from sslreg.spec.value_validation import explain_violation

Target = TypeVar("Target", bound=Callable[..., Any])


def enforce_bounds(target: Target) -> Target:
    """Make a constructor or function refuse values outside of the bounds that its signature declares.

    The classes that derive from a contract do so already. This decorator is for components that derive from something
    else, such as torch's optimizers, for functions that return a component, and for classes whose constructor
    `dataclass` writes::

        @sslreg.enforce_bounds
        class LARS(torch.optim.Optimizer):
            def __init__(self, params, lr: Annotated[float, Field(gt=0)]) -> None: ...

    Only bounds are compared, not types. A value outside of its bounds raises ValueError.
    """
    if inspect.isclass(target):
        constructor = "__init__"
        setattr(target, constructor, _wrap(getattr(target, constructor), target))
        return target
    wrapped: Target = _wrap(target)
    return wrapped


def require_bounds(parameters: Mapping[str, Parameter], arguments: Mapping[str, Any]) -> None:
    """Compare arguments with the bounds of their parameters.

    Raises:
        ValueError: an argument is outside of its bounds.
    """
    for name, value in arguments.items():
        if name in parameters and (reason := find_violation(parameters[name], value)):
            raise ValueError(f"{name} is {value!r}; {reason}")


def find_violation(parameter: Parameter, value: Any) -> str | None:
    """Return what a value should be if it is outside of the bounds of its parameter, or None."""
    return explain_violation(parameter, value) if _is_bounded(parameter) else None


def _wrap(function: Any, declaring: Any = None) -> Any:
    """Return a function that compares its arguments with the bounds of `declaring`, by default its own."""

    @cache
    def declared() -> tuple[inspect.Signature, dict[str, Parameter]]:
        parameters = [parameter for _, parameter in signature_parameters(declaring or function) if parameter]
        bounded = {parameter.name: parameter for parameter in parameters if _is_bounded(parameter)}
        return inspect.signature(function), bounded

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        signature, bounded = declared()
        if bounded:
            with suppress(TypeError):  # the function reports arguments that it does not have
                require_bounds(bounded, signature.bind_partial(*args, **kwargs).arguments)
        return function(*args, **kwargs)

    return wrapper


def _is_bounded(parameter: Parameter) -> bool:
    """Return whether a parameter declares bounds or choices. The values of slots and sections are objects."""
    return not parameter.slot and not parameter.section and _has_bounds(parameter.annotation)


def _has_bounds(hint: Any) -> bool:
    return get_origin(hint) is Literal or hasattr(hint, "__metadata__") or any(map(_has_bounds, get_args(hint)))
