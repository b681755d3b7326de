"""Type hints: which of their values YAML can write, and how people read them."""

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

#: Stands for the spec's form of a type that has none, such as a callable.
FORMLESS: Any = object()


def signature_of(target: Any) -> list[inspect.Parameter]:
    """The parameters of a constructor, their hints evaluated where they can be.

    Hints that name what only type checkers import stay text.
    """
    try:
        return list(inspect.signature(target, eval_str=True).parameters.values())
    except (NameError, AttributeError, SyntaxError):
        namespace = _namespace(target)
        return [_evaluated(parameter, namespace) for parameter in inspect.signature(target).parameters.values()]


def _namespace(target: Any) -> dict[str, Any]:
    """The globals of the function that a constructor is."""
    while isinstance(target, partial):
        target = target.func
    function = inspect.unwrap(target.__init__ if inspect.isclass(target) else target)
    namespace: dict[str, Any] = getattr(function, "__globals__", {})
    return namespace


def _evaluated(parameter: inspect.Parameter, namespace: dict[str, Any]) -> inspect.Parameter:
    if isinstance(parameter.annotation, str):
        with contextlib.suppress(NameError, AttributeError, SyntaxError, TypeError):
            return parameter.replace(annotation=eval(parameter.annotation, namespace))
    return parameter


def spec_form(hint: Any) -> Any:
    """A type without those of its parts that nothing in YAML can stand for; `FORMLESS` if nothing is left."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner = spec_form(arguments[0])
        return inner if inner is FORMLESS else Annotated[(inner, *hint.__metadata__)]
    if origin in (Union, types.UnionType):
        forms = [form for argument in arguments if (form := spec_form(argument)) is not FORMLESS]
        written = any(form is not type(None) for form in forms)
        return functools.reduce(operator.or_, forms) if written else FORMLESS
    if origin is None or origin is Literal or origin is collections.abc.Callable:
        return hint if _has_schema(hint) else FORMLESS
    forms = [argument if argument is Ellipsis else spec_form(argument) for argument in arguments]
    if FORMLESS in forms:
        return FORMLESS
    rebuilt = origin[tuple(forms)]
    return rebuilt if _has_schema(rebuilt) else FORMLESS


def _has_schema(hint: Any) -> bool:
    """Whether pydantic can describe a type's values as JSON."""
    if hint in (Any, bool, int, float, str, Path, None, type(None)):
        return True
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return True
    try:
        TypeAdapter(hint).json_schema()
    except (PydanticUserError, PydanticUndefinedAnnotation, TypeError):
        return False
    return True


def type_text(hint: Any) -> str:
    """A type as people write it: ``float``, ``tuple[int, int] | None``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return type_text(arguments[0])
    if origin in (Union, types.UnionType):
        return " | ".join(type_text(argument) for argument in arguments)
    if origin is Literal:
        return " | ".join(repr(argument) for argument in arguments)
    if hint is type(None):
        return "None"
    if hint is Ellipsis:
        return "..."
    name = getattr(origin or hint, "__name__", str(hint))
    return f"{name}[{', '.join(type_text(argument) for argument in arguments)}]" if origin else name
