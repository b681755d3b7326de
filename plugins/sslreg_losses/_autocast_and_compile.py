"""Decorators and contexts for autocast, torch.compile and second derivatives, which the losses share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

import torch
from torch import Tensor

import sslreg

Arguments = ParamSpec("Arguments")


def disable_autocast(tensor: Tensor) -> torch.autocast:
    """Return a context in which autocast does not change operations on the tensor's device."""
    return torch.autocast(tensor.device.type, enabled=False)


def disable_compile(method: Callable[Arguments, Tensor]) -> Callable[Arguments, Tensor]:
    """Exclude a method from torch.compile, which breaks its graph there.

    torch.compiler.disable does the same, but imports the compiler at once, which takes as long as importing torch.
    """

    @functools.wraps(method)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Tensor:
        if not torch.compiler.is_dynamo_compiling():
            return method(*args, **kwargs)
        disabled: Callable[Arguments, Tensor] = torch.compiler.disable(method)  # type: ignore[no-untyped-call]
        return disabled(*args, **kwargs)

    return call


def refuse_second_derivative() -> None:
    """Raise SslregError if the backward pass is recorded, as ``create_graph=True`` requests."""
    if torch.is_grad_enabled():
        raise sslreg.SslregError(
            "contrastive losses have no second derivative, which create_graph=True requests",
            hint="call backward() without create_graph",
            code="second-derivative",
        )
