"""The checksums of the data and the weights of an evaluation."""

from __future__ import annotations

import zlib

import torch
from torch import Tensor, nn


def checksum_tensor(tensor: Tensor, start: int = 0) -> int:
    """Return the CRC-32 of a tensor's bytes, continued from that of the tensors before it."""
    return zlib.crc32(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data, start)


def checksum_weights(module: nn.Module) -> int:
    """Return the CRC-32 of the names and the tensors in a module's state."""
    checksum = 0
    for name, value in module.state_dict().items():
        if isinstance(value, Tensor):  # a module may have extra state of any type
            checksum = checksum_tensor(value, zlib.crc32(name.encode(), checksum))
    return checksum
