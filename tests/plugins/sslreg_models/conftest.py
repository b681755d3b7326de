"""Batches for the comparison of methods with other modules."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import sslreg


@pytest.fixture
def make_batch() -> Callable[[int], sslreg.Batch]:
    """Make a batch of two views of eight gray images (8, 8) in float64 from a seed."""

    def make(seed: int) -> sslreg.Batch:
        generator = torch.Generator().manual_seed(seed)
        views = [torch.rand(8, 1, 8, 8, generator=generator, dtype=torch.float64) for _ in range(2)]
        return sslreg.Batch(views, None, torch.arange(8))

    return make
