"""Embeddings to judge."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from sslreg import Embeddings, EvaluatedRun


@pytest.fixture
def cpu() -> EvaluatedRun:
    """All that most evaluators ask of a run."""
    return SimpleNamespace(device=torch.device("cpu"))


def embeddings(features: Tensor, targets: Tensor | None) -> Embeddings:
    number = torch.arange(len(features))
    return Embeddings(features, targets, number, [str(i) for i in number])


@pytest.fixture(name="embeddings")
def embeddings_fixture() -> Callable[[Tensor, Tensor | None], Embeddings]:
    """Features (N, D) and targets (N,) as `Embeddings`."""
    return embeddings


@pytest.fixture
def blobs() -> Callable[..., Embeddings]:
    """n embeddings of width 16 around a center for each class, which overlap."""

    def make(n: int, seed: int, classes: int = 10, spread: float = 2.0) -> Embeddings:
        generator = torch.Generator().manual_seed(seed)
        centers = torch.randn(classes, 16, generator=torch.Generator().manual_seed(0))
        targets = torch.randint(0, classes, (n,), generator=generator)
        return embeddings(centers[targets] + spread * torch.randn(n, 16, generator=generator), targets)

    return make


@pytest.fixture(scope="session")
def digits() -> tuple[Embeddings, Embeddings]:
    """The pixels of scikit-learn's digits, less their mean, in the project's split: reference and test."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(1797)
    train, test = order[: -(1797 // 4)], order[-(1797 // 4) :]
    pixels = torch.from_numpy(data.data - data.data[train].mean(axis=0)).float()
    targets = torch.from_numpy(data.target).long()
    return embeddings(pixels[train], targets[train]), embeddings(pixels[test], targets[test])
