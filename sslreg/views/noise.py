"""Random fields for augmentations, which are too large to draw on the CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import Literal

import torch
from torch import Tensor

from sslreg.views.device_transfer import to_device


def noise_like(
    seeds: Tensor,
    shape: Sequence[int],
    device: torch.device | str = "cpu",
    kind: Literal["uniform", "normal"] = "uniform",
) -> Tensor:
    """Return random fields (N, *shape), float32, one for each of the seeds (N,) from `Keys.seeds`.

    A field depends only on its seed, and the CPU and CUDA give the same bits: integers are hashed (the finalizer of
    MurmurHash3), and nothing is computed that differs between processors.

    Args:
        seeds: int64 (N,).
        shape: of one field.
        device: where the fields are made.
        kind: ``uniform``: in [0, 1); ``normal``: mean 0, standard deviation 1, from a table of 65,536 quantiles.
    """
    if kind not in ("uniform", "normal"):
        raise ValueError(f"noise is 'uniform' or 'normal', not {kind!r}")
    column = (len(seeds), *[1] * len(shape))
    low, high = ((seeds.to(device) >> shift).to(torch.int32).reshape(column) for shift in (0, 32))
    words = torch.arange(math.prod(shape), dtype=torch.int32, device=device).reshape(1, *shape) * -1640531535
    words = _mix_32(_mix_32(words ^ low) ^ high)
    if kind == "normal":
        return to_device(_normal_quantiles(), torch.device(device))[(words & 0xFFFF).long()]
    return (words >> 8 & 0xFFFFFF) * 2.0**-24


def _mix_32(words: Tensor) -> Tensor:
    # torch shifts the sign of a signed integer in; the masks make the shifts logical.
    words = (words ^ (words >> 16 & 0xFFFF)) * -2048144789
    words = (words ^ (words >> 13 & 0x7FFFF)) * -1028477387
    return words ^ (words >> 16 & 0xFFFF)


@cache
def _normal_quantiles() -> Tensor:
    normal, levels = NormalDist(), 2**16
    return torch.tensor([normal.inv_cdf((level + 0.5) / levels) for level in range(levels)], dtype=torch.float32)
