"""The heads of methods: perceptrons from a backbone's features to the embeddings that a loss compares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

from torch import nn


def projection_head(
    in_features: int,
    widths: Sequence[int],
    *,
    hidden_norm: bool = True,
    output_norm: Literal["none", "affine", "plain"] = "none",
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """Build a perceptron from features (N, in_features) to (N, widths[-1]), with ReLUs or others between its layers.

    A linear layer has a bias unless batch normalization follows it.

    Args:
        in_features: The width of the features.
        widths: The width of each linear layer's output. One width makes a linear head, none the identity.
        hidden_norm: Whether batch normalization follows each linear layer but the last.
        output_norm: The batch normalization of the output: ``none``, ``affine``, or ``plain``, without scale and shift.
        activation: Builds the activation between linear layers.
    """
    head = nn.Sequential()
    layers = list(pairwise([in_features, *widths]))
    for number, (before, after) in enumerate(layers, start=1):
        is_output = number == len(layers)
        has_norm = output_norm != "none" if is_output else hidden_norm
        head.append(nn.Linear(before, after, bias=not has_norm))
        if has_norm:
            head.append(nn.BatchNorm1d(after, affine=not is_output or output_norm == "affine"))
        if not is_output:
            head.append(activation())
    return head
