"""LARS: layer-wise adaptive rate scaling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

import sslreg


@sslreg.enforce_bounds
class LARS(Optimizer):
    """SGD with momentum in which the learning rate of every layer is proportional to its weights (arXiv 1708.03888).

    For weights w with gradient g, decayed gradient d = g + weight_decay w and
    r = trust_coefficient |w| / (|g| + weight_decay |w| + eps)  (equation 6),
    a step is v = momentum v + r d and w = w - lr v. This is the paper's algorithm 1, but with the learning rate outside
    of the velocity, as in torch's SGD. If w or g is zero, r is 1. Biases and the parameters of normalization layers,
    which have at most one dimension, are neither adapted nor decayed, as in SimCLR.

    Args:
        lr: The learning rate; SimCLR uses 0.3 for each 256 samples in a batch.
        momentum: The share of the velocity that a step keeps.
        weight_decay: The factor of the L2 penalty; SimCLR uses 1e-6.
        trust_coefficient: How far a step moves a layer, relative to its weights, at a learning rate of 1.
        eps: Keeps r finite.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Annotated[float, Field(gt=0)],
        momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9,
        weight_decay: Annotated[float, Field(ge=0)] = 0.0,
        trust_coefficient: Annotated[float, Field(gt=0)] = 0.001,
        eps: Annotated[float, Field(ge=0)] = 1e-8,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "weight_decay": weight_decay,
                "trust_coefficient": trust_coefficient,
                "eps": eps,
            },
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every parameter that has a gradient.

        Args:
            closure: Computes the loss again. Its value is returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                update = weight.grad if weight.ndim <= 1 else _adapt(weight, weight.grad, group)
                state = self.state[weight]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(weight)
                velocity = state["momentum_buffer"].mul_(group["momentum"]).add_(update)
                weight.sub_(velocity * group["lr"])
        return loss


def _adapt(weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
    """Return the decayed gradient times the layer's adaptive rate."""
    size, slope = weight.norm(), gradient.norm()
    rate = group["trust_coefficient"] * size / (slope + group["weight_decay"] * size + group["eps"])
    rate = torch.where((size > 0) & (slope > 0), rate, torch.ones_like(rate))
    return rate * gradient.add(weight, alpha=group["weight_decay"])
