"""The linear classifier for many embeddings: stochastic gradient descent, several learning rates side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sslreg_evaluators._average_precision import rate_scores

#: The learning rates to choose from, for a mean loss over a batch of standardized embeddings.
RATES = tuple(base * 10.0**power for power in (-3, -2, -1, 0) for base in (1.0, 2.0, 5.0))

BATCH = 1024
MOMENTUM = 0.9


def fit(
    features: Tensor, labels: Tensor, held_out: Tensor, epochs: int, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """Fit a classifier and return the function from embeddings (Q, D) to scores (Q, classes), on the CPU.

    Args:
        features: The embeddings (N, D) to fit it on.
        labels: Their classes (N,), from 0 to classes - 1, or which classes they have (N, classes), bool.
        held_out: Which embeddings (N,), bool, the learning rate is chosen on.
        epochs: The number of passes over the embeddings.
        device: The device that computes.
    """
    classes = int(labels.max()) + 1 if labels.ndim == 1 else labels.shape[1]
    heads = _fit(features[~held_out], labels[~held_out], classes, RATES, epochs, device)
    scores = _apply(heads, features[held_out], device)
    qualities = [rate_scores(each, labels[held_out]) for each in scores]
    best = RATES[qualities.index(max(qualities))]
    heads = _fit(features, labels, classes, [best], epochs, device)
    return lambda queries: _apply(heads, queries, device)[0]


def _fit(
    features: Tensor, labels: Tensor, classes: int, rates: Sequence[float], epochs: int, device: torch.device
) -> Tensor:
    """Fit a head for each learning rate under a cosine schedule: (rates, D + 1, classes), the last row the bias."""
    width = features.shape[1] + 1
    heads = torch.zeros(len(rates), width, classes, device=device)
    velocity = torch.zeros_like(heads)
    steps = torch.tensor(rates, device=device)[:, None, None]
    # A separate generator, so that the training's random numbers stay the same.
    generator = torch.Generator().manual_seed(0)
    batches = -(-len(features) // BATCH)
    for epoch in range(epochs):
        order = torch.randperm(len(features), generator=generator)
        for number, rows in enumerate(torch.split(order, BATCH)):
            progress = torch.tensor((epoch + number / batches) / epochs * torch.pi)
            gradient = _gradient(heads, features[rows].to(device), labels[rows].to(device))
            velocity = MOMENTUM * velocity + gradient
            heads = heads - 0.5 * (1 + torch.cos(progress).item()) * steps * velocity
    return heads


def _gradient(heads: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    """Return the gradient of each head's mean cross-entropy: over classes, or binary for each class of several."""
    rows = _append_bias(features)
    logits = torch.matmul(rows, heads)
    if labels.ndim == 2:
        error = logits.sigmoid() - labels.float()
    else:
        error = logits.softmax(dim=2)
        error[:, torch.arange(len(labels), device=labels.device), labels] -= 1.0
    return torch.matmul(rows.T, error) / len(labels)


def _apply(heads: Tensor, features: Tensor, device: torch.device) -> Tensor:
    """Return the scores (heads, N, classes) of features (N, D), on the CPU."""
    chunks = torch.split(features, 8 * BATCH)
    return torch.cat([torch.matmul(_append_bias(rows.to(device)), heads).cpu() for rows in chunks], dim=1)


def _append_bias(features: Tensor) -> Tensor:
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)
