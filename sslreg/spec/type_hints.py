"""Evaluates type hints, reduces them to what YAML can express, and formats them for users."""

from __future__ import annotations

import collections.abc
import contextlib
import enum
import functools
import inspect
import operator
import types
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

#: Marks a type none of whose values can be written in YAML, such as a callable.
NOT_WRITABLE: Any = object()


def evaluated_parameters(target: Any) -> list[inspect.Parameter]:
    """Return the parameters of a constructor with evaluated type hints.

    A hint that cannot be evaluated, because it names something that only type checkers import, remains a string.
    """
    try:
        return list(inspect.signature(target, eval_str=True).parameters.values())
    except (NameError, AttributeError, SyntaxError):
        namespace = _namespace(target)
        return [_evaluate(parameter, namespace) for parameter in inspect.signature(target).parameters.values()]


def _namespace(target: Any) -> dict[str, Any]:
    """Return the globals of the function that a constructor runs."""
    while isinstance(target, partial):
        target = target.func
    function = inspect.unwrap(target.__init__ if inspect.isclass(target) else target)
    namespace: dict[str, Any] = getattr(function, "__globals__", {})
    return namespace


def _evaluate(parameter: inspect.Parameter, namespace: dict[str, Any]) -> inspect.Parameter:
    if isinstance(parameter.annotation, str):
        with contextlib.suppress(NameError, AttributeError, SyntaxError, TypeError):
            return parameter.replace(annotation=eval(parameter.annotation, namespace))
    return parameter


def writable_type(hint: Any) -> Any:
    """Return a type without the members of unions that YAML cannot express; `NOT_WRITABLE` if nothing remains."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner = writable_type(arguments[0])
        return inner if inner is NOT_WRITABLE else Annotated[(inner, *hint.__metadata__)]
    if origin in (Union, types.UnionType):
        members = [member for argument in arguments if (member := writable_type(argument)) is not NOT_WRITABLE]
        has_values = any(member is not type(None) for member in members)
        return functools.reduce(operator.or_, members) if has_values else NOT_WRITABLE
    if origin is None or origin is Literal or origin is collections.abc.Callable:
        return hint if _has_schema(hint) else NOT_WRITABLE
    members = [argument if argument is Ellipsis else writable_type(argument) for argument in arguments]
    if NOT_WRITABLE in members:
        return NOT_WRITABLE
    rebuilt = origin[tuple(members)]
    return rebuilt if _has_schema(rebuilt) else NOT_WRITABLE


def _has_schema(hint: Any) -> bool:
    """Return whether pydantic can describe the values of a type as JSON Schema."""
    if hint in (Any, bool, int, float, str, Path, None, type(None)):
        return True
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return True
    try:
        TypeAdapter(hint).json_schema()
    except (PydanticUserError, PydanticUndefinedAnnotation, TypeError):
        return False
    return True


def format_type(hint: Any) -> str:
    """Format a type as users write it: ``float``, ``tuple[int, int] | None``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return format_type(arguments[0])
    if origin in (Union, types.UnionType):
        return " | ".join(format_type(argument) for argument in arguments)
    if origin is Literal:
        return " | ".join(repr(argument) for argument in arguments)
    if hint is type(None):
        return "None"
    if hint is Ellipsis:
        return "..."
    name = getattr(origin or hint, "__name__", str(hint))
    return f"{name}[{', '.join(format_type(argument) for argument in arguments)}]" if origin else name
