"""Momentum encoders: copies of a module whose weights follow those of the original."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

#: The attribute that marks the copies.
_MARK = "_is_momentum_copy"

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def momentum_copy(module: ModuleT) -> ModuleT:
    """Return a copy of a module for a momentum encoder: without gradients, moved by `follow` alone.

    Its weights change in small steps, which half precision cannot represent: ``sslreg check`` refuses half-precision
    weights with such a copy. In train mode its batch normalization uses the batch's statistics, as in MoCo, BYOL and
    DINO, and its running statistics come from its activations. It drops nothing (dropout, stochastic depth), as in the
    code of DINO, iBOT and DINOv2.
    """
    copied = copy.deepcopy(module).requires_grad_(False)
    for part in copied.modules():
        if isinstance(part, _DropoutNd) or type(part).__name__ == "StochasticDepth":  # importing torchvision takes long
            vars(part)["p"] = 0.0
        elif hasattr(part, "drop_prob"):  # timm's DropPath
            vars(part)["drop_prob"] = 0.0
    setattr(copied, _MARK, True)
    return copied


def is_momentum_copy(module: nn.Module) -> bool:
    """Return whether `momentum_copy` made a module."""
    return getattr(module, _MARK, False) is True


@torch.no_grad()
def follow(slow: nn.Module, fast: nn.Module, momentum: float) -> None:
    """Move the weights of a momentum encoder: slow = momentum slow + (1 - momentum) fast.

    Call it in `Model.after_step`. Buffers, such as the running statistics of batch normalization, do not move.

    Args:
        slow: The momentum encoder, a `momentum_copy` of `fast`.
        fast: The module that it follows.
        momentum: The share of its weights that the momentum encoder keeps, in [0, 1].

    Raises:
        ValueError: The two modules have parameters of different shapes, or share parameters.
    """
    averages, weights = tuple(slow.parameters()), tuple(fast.parameters())
    if [average.shape for average in averages] != [weight.shape for weight in weights]:
        raise ValueError("a momentum encoder follows a module with parameters of the same shapes")
    if any(average is weight for average, weight in zip(averages, weights, strict=True)):
        raise ValueError(
            "the momentum encoder shares parameters with the module that it follows; make it with sslreg.momentum_copy"
        )
    if averages:
        torch._foreach_lerp_(averages, weights, 1 - momentum)
