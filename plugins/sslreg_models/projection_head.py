"""The projection head: from a backbone's features to the embeddings that a loss compares."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def projection_head(in_features: int, widths: Sequence[int], *, batch_norm: bool) -> nn.Sequential:
    """Build a perceptron from features (N, in_features) to (N, widths[-1]) with a ReLU between its linear layers.

    Args:
        in_features: The width of the features.
        widths: The width of each linear layer's output. One width makes a linear head, none the identity.
        batch_norm: Normalize after every linear layer, including the last. Such a layer has no bias.
    """
    head = nn.Sequential()
    for before, after in pairwise([in_features, *widths]):
        if head:
            head.append(nn.ReLU(inplace=True))
        head.append(nn.Linear(before, after, bias=not batch_norm))
        if batch_norm:
            head.append(nn.BatchNorm1d(after))
    return head
