"""Tensors from the CPU to a device, without waiting for it."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor from the CPU to a device without blocking."""
    if device.type == "cuda":
        # From pageable memory, CUDA would copy only after all work of its stream is done.
        values = values.pin_memory()
    return values.to(device, non_blocking=True)
