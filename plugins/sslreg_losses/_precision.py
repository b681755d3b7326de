"""In which precision, and how often, losses are differentiated."""

from __future__ import annotations

import torch
from torch import Tensor

import sslreg


def full_precision(tensor: Tensor) -> torch.autocast:
    """A context in which autocast leaves operations on the tensor's device alone."""
    return torch.autocast(tensor.device.type, enabled=False)


def refuse_second_derivative() -> None:
    """SslregError: the backward pass is being recorded, which ``create_graph=True`` asks for."""
    if torch.is_grad_enabled():
        raise sslreg.SslregError(
            "a contrastive loss has no second derivative here, and create_graph=True asks for one",
            hint="call backward() without create_graph",
            code="second-derivative",
        )
