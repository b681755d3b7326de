"""The random states of torch, NumPy and Python, in types that a checkpoint can hold."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def preserve_generators() -> Iterator[None]:
    """Restore the states of the generators after the block."""
    states = get_generators()
    try:
        yield
    finally:
        set_generators(states)


def seed_generators(seed: int) -> None:
    """Seed the generators of torch, NumPy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def get_generators() -> dict[str, Any]:
    """Return the states, for CUDA that of one device, in types that can be loaded without running code."""
    name, words, *rest = np.random.get_state(legacy=True)
    version, numbers, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "numpy": [name, torch.from_numpy(np.asarray(words).astype(np.int64)), *rest],
        "python": [version, list(numbers), gauss],
    }


def set_generators(states: dict[str, Any]) -> None:
    """Set the states that `get_generators` returned."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    name, words, *rest = states["numpy"]
    np.random.set_state((name, words.numpy().astype(np.uint32), *rest))
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
