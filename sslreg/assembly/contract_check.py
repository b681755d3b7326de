"""Compares built components with the contracts of their kinds."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any, ClassVar

from torch import nn

from sslreg.contracts import Augmentation
from sslreg.contracts.loss import adapt_loss
from sslreg.errors import type_name
from sslreg.registry import KINDS, ComponentInfo
from sslreg.views import adapt

#: The kinds whose components need not derive from the contract: a data set of torch has the methods that count.
_DUCK_TYPED = ("dataset",)

#: Methods that a contract declares without an implementation, and that not every component needs.
_OPTIONAL = ("hold", "nearest")

#: The package of the contracts.
_CONTRACTS = "sslreg.contracts."

#: The methods of torch's optimizers and schedules, which have no contract here, with the number of their arguments.
_TORCH_METHODS = {"step": 0, "state_dict": 0, "load_state_dict": 1}


def adapt_to_contract(info: ComponentInfo, component: Any) -> Any:
    """Return a component that fulfills the contract of its kind.

    Plain callables are adapted to augmentations, and plain modules to losses.

    Raises:
        UserError: the component does not fulfill the contract. The message names the component, its package and the
            contract.
    """
    with info.blame("object that the constructor returns"):
        if inspect.iscoroutine(component):
            component.close()  # or else Python warns that nobody awaits it
        if inspect.isawaitable(component) or inspect.isasyncgen(component):
            raise info.broken(f"{info} is async, but must return {KINDS[info.kind].title_with_article}; remove `async`")
        try:
            component = adapt_object(info.kind, component)
            _require_contract(info, component)
        except ValueError as error:
            raise info.broken(f"{info}: {error}") from error
    return component


def adapt_object(kind: str, component: Any) -> Any:
    """Return an object as a component of a kind: a plain callable as an augmentation, a plain module as a loss.

    Raises:
        ValueError: the object cannot be adapted.
    """
    if kind == "loss":
        return adapt_loss(component)
    if kind == "augmentation":
        if not issubclass(type(component), Augmentation) and is_async(component):
            raise ValueError("it is async, but must return the image; remove `async`")
        return adapt(component)
    return component


def _require_contract(info: ComponentInfo, component: Any) -> None:
    """Raise a ValueError if a component does not fulfill the contract of its kind."""
    path = KINDS[info.kind].contract
    if path is None:
        if info.kind in ("optimizer", "schedule"):
            for name, count in _TORCH_METHODS.items():
                _require_method(component, name, f"{name}({'state' * count})", count)
        return
    module, _, name = path.partition(":")
    contract = getattr(import_module(module), name)
    # Not isinstance, which believes a `__class__` that lies.
    derives = issubclass(type(component), contract)
    if not derives and info.kind not in _DUCK_TYPED:
        raise ValueError(f"{type_name(component)} is not an sslreg.{name}")
    for method, function in _methods(type(component), contract):
        is_required = "NotImplementedError" in function.__code__.co_names and method not in _OPTIONAL
        if is_required and getattr(type(component), method, function) is function:
            raise ValueError(f"{type_name(component)} does not implement {_format_call(method, function)}")
        if is_required or derives:
            parameters = list(inspect.signature(function).parameters.values())[1:]
            count = sum(parameter.kind is not parameter.KEYWORD_ONLY for parameter in parameters)
            _require_method(component, method, _format_call(method, function), count)
    if derives:
        _require_attributes(component, contract)


def _methods(component: type, contract: type) -> Iterator[tuple[str, Any]]:
    """Yield the methods that a contract declares, and the narrower contracts that a class derives from."""
    narrower = [
        base for base in component.__mro__ if issubclass(base, contract) and base.__module__.startswith(_CONTRACTS)
    ]
    for declaring in dict.fromkeys([contract, *narrower]):
        for name, value in vars(declaring).items():
            is_public = not name.startswith("_") or name in ("__len__", "__getitem__")
            if inspect.isfunction(value) and is_public:
                yield name, value


def _format_call(name: str, function: Callable[..., Any]) -> str:
    return f"{name}({', '.join(list(inspect.signature(function).parameters)[1:])})"


def _require_method(component: Any, name: str, call: str, count: int) -> None:
    """Raise a ValueError unless a component has a method that takes a number of positional arguments."""
    method = getattr(component, name, None)
    if not callable(method):
        raise ValueError(f"{type_name(component)} does not implement {call}")
    if is_async(method):
        raise ValueError(f"{name} is async, but must return its result; remove `async`")
    if not _accepts(method, count):
        raise ValueError(f"{name}{inspect.signature(method)} does not take the arguments of the contract, {call}")


def is_async(function: Any) -> bool:
    """Return whether a call of a function or a callable object returns a coroutine or an asynchronous generator."""
    while isinstance(function, partial):
        function = function.func
    call = getattr(type(function), "__call__", None)  # noqa: B004 - its code counts, not whether it exists
    candidates = [function, call, getattr(function, "forward", None)]
    return any(inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in candidates)


def _accepts(function: Callable[..., Any], count: int) -> bool:
    """Return whether a function takes a number of positional arguments, as far as its signature is known."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # a compiled function without a signature
        return True
    return True


def _require_attributes(component: Any, contract: type) -> None:
    """Raise a ValueError if a component lacks an attribute that its contract declares without a default."""
    for name, hint in typing.get_type_hints(contract).items():
        if typing.get_origin(hint) is ClassVar or name in vars(contract) or name not in contract.__annotations__:
            continue
        if not isinstance(hint, type):
            continue
        value = getattr(component, name, None)
        expected = nn.Module if issubclass(hint, nn.Module) else hint
        if not issubclass(type(value), expected) or isinstance(value, bool):
            raise ValueError(
                f"{type_name(component)} does not set the attribute {name}, "
                f"{'an integer' if hint is int else f'an sslreg.{hint.__name__}'}, in its constructor"
            )
        if issubclass(hint, nn.Module):
            _require_attributes(value, hint)
