"""How the losses get along with autocast, torch.compile and second derivatives."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

import torch
from torch import Tensor

import sslreg

Arguments = ParamSpec("Arguments")


def full_precision(tensor: Tensor) -> torch.autocast:
    """A context in which autocast leaves operations on the tensor's device alone."""
    return torch.autocast(tensor.device.type, enabled=False)


def outside_graphs(method: Callable[Arguments, Tensor]) -> Callable[Arguments, Tensor]:
    """Have torch.compile leave a method to Python, with a break in its graph.

    As torch.compiler.disable does, which imports the compiler at once; that takes as long as importing torch.
    """

    @functools.wraps(method)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Tensor:
        if not torch.compiler.is_dynamo_compiling():
            return method(*args, **kwargs)
        disabled: Callable[Arguments, Tensor] = torch.compiler.disable(method)  # type: ignore[no-untyped-call]
        return disabled(*args, **kwargs)

    return call


def refuse_second_derivative() -> None:
    """SslregError: the backward pass is being recorded, which ``create_graph=True`` asks for."""
    if torch.is_grad_enabled():
        raise sslreg.SslregError(
            "a contrastive loss has no second derivative here, and create_graph=True asks for one",
            hint="call backward() without create_graph",
            code="second-derivative",
        )
