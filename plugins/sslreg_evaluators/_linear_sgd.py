"""The linear classifier of many embeddings: stochastic gradient descent, several learning rates side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

#: The learning rates to choose from, of a mean loss over a batch; embeddings are standardized.
RATES = tuple(base * 10.0**power for power in (-3, -2, -1, 0) for base in (1.0, 2.0, 5.0))

BATCH = 1024
MOMENTUM = 0.9


def scores(
    features: Tensor, labels: Tensor, held_out: Tensor, queries: Tensor, epochs: int, device: torch.device
) -> Tensor:
    """Scores (Q, classes) of queries (Q, D), on the CPU, by a classifier fitted on features (N, D).

    labels: (N,), 0 … classes - 1; held_out: bool (N,), what the learning rate is chosen on.
    """
    classes = int(labels.max()) + 1
    heads = _fitted(features[~held_out], labels[~held_out], classes, RATES, epochs, device)
    predicted = _applied(heads, features[held_out], device).argmax(dim=2)
    accuracies = (predicted == labels[held_out]).double().mean(dim=1)
    best = RATES[int(accuracies.argmax())]
    return _applied(_fitted(features, labels, classes, [best], epochs, device), queries, device)[0]


def _fitted(
    features: Tensor, labels: Tensor, classes: int, rates: Sequence[float], epochs: int, device: torch.device
) -> Tensor:
    """A head for each learning rate: (rates, D + 1, classes), the last row the bias; from zero, under a cosine."""
    width = features.shape[1] + 1
    heads = torch.zeros(len(rates), width, classes, device=device)
    velocity = torch.zeros_like(heads)
    steps = torch.tensor(rates, device=device)[:, None, None]
    # Its own generator: what is drawn here leaves the training's alone.
    generator = torch.Generator().manual_seed(0)
    batches = -(-len(features) // BATCH)
    for epoch in range(epochs):
        order = torch.randperm(len(features), generator=generator)
        for number, rows in enumerate(order.split(BATCH)):
            progress = torch.tensor((epoch + number / batches) / epochs * torch.pi)
            gradient = _gradient(heads, features[rows].to(device), labels[rows].to(device))
            velocity = MOMENTUM * velocity + gradient
            heads = heads - 0.5 * (1 + torch.cos(progress).item()) * steps * velocity
    return heads


def _gradient(heads: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    """The gradient of each head's mean cross-entropy."""
    rows = _with_bias(features)
    logits = torch.matmul(rows, heads)
    error = logits.softmax(dim=2)
    error[:, torch.arange(len(labels), device=labels.device), labels] -= 1.0
    return torch.matmul(rows.T, error) / len(labels)


def _applied(heads: Tensor, features: Tensor, device: torch.device) -> Tensor:
    """Scores (heads, N, classes) on the CPU."""
    return torch.cat(
        [torch.matmul(_with_bias(rows.to(device)), heads).cpu() for rows in features.split(8 * BATCH)], dim=1
    )


def _with_bias(features: Tensor) -> Tensor:
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)
