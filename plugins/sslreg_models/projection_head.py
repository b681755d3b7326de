"""The heads that project a backbone's features to what a loss compares."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def projection_head(in_features: int, widths: Sequence[int], *, batch_norm: bool) -> nn.Sequential:
    """A perceptron from features (N, in_features) to (N, widths[-1]), with a ReLU between its linear layers.

    widths: the width of each linear layer's output; one width makes a linear head, none the identity.
    batch_norm: normalize after every linear layer, the last one included; such a layer has no bias.
    """
    head = nn.Sequential()
    for before, after in pairwise([in_features, *widths]):
        if head:
            head.append(nn.ReLU(inplace=True))
        head.append(nn.Linear(before, after, bias=not batch_norm))
        if batch_norm:
            head.append(nn.BatchNorm1d(after))
    return head
