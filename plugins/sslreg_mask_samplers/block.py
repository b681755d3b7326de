"""Blockwise masks."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_mask_samplers._rectangles import check_interval, place_rectangles, rectangle_sizes

#: The number of rectangles in a row that may not fit before single patches fill up the rest.
_ATTEMPTS = 10


class BlockMaskSampler(sslreg.MaskSampler):
    """Masks rectangles of patches until a share of the patches is masked (BEiT, arXiv 2106.08254, algorithm 1).

    Each image is masked with probability `share`, and the number of its masked patches is drawn from `ratio` (iBOT,
    arXiv 2111.07832; DINOv2, arXiv 2304.07193). The number is exact: when ten rectangles in a row do not
    fit, single patches at random fill up the rest. An image that is not masked has no targets.

    DINOv2 masks an exact share of each batch, with shares of patches that are spread evenly over the batch. Here each
    image is drawn by itself, so that its mask does not depend on the batch.

    Args:
        share: The probability that an image is masked.
        ratio: The range of the share of patches that are masked in such an image.
        min_patches: The least number of patches of a rectangle, unless fewer are left to mask.
        aspect_ratio: The range of the height of a rectangle by its width, drawn uniformly in the logarithm.

    Raises:
        ValueError: A range is not in ascending order or out of bounds, or the grid has fewer than two patches.
    """

    def __init__(
        self,
        share: Annotated[float, Field(gt=0, le=1)] = 0.5,
        ratio: tuple[float, float] = (0.1, 0.5),
        min_patches: Annotated[int, Field(ge=1)] = 4,
        aspect_ratio: tuple[float, float] = (0.3, 1 / 0.3),
    ) -> None:
        self.share = share
        self.ratio = check_interval("ratio", ratio, most=1)
        self.min_patches = min_patches
        self.aspect_ratio = check_interval("aspect_ratio", aspect_ratio, most=math.inf)

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        patches = math.prod(grid)
        if patches < 2:
            raise ValueError(f"{grid[0]}x{grid[1]} patches are too few to mask some of them; use larger images")
        masked = (keys.uniform(*self.ratio) * patches).round().long().clamp(1, patches - 1) * keys.bernoulli(self.share)
        mask = self._mask_rectangles(keys.child("rectangles"), masked, grid).flatten(1)
        mask = _mask_single_patches(keys, mask, masked - mask.sum(dim=1))
        return sslreg.Masks(context=~mask, targets=mask[:, None])

    def _mask_rectangles(self, keys: sslreg.Keys, masked: Tensor, grid: tuple[int, int]) -> Tensor:
        """Mask at most the given number of patches (N,) of each image; returns bool (N, rows, columns)."""
        mask = torch.zeros(len(masked), *grid, dtype=torch.bool)
        missing, failures = masked.clone(), torch.zeros_like(masked)
        low, high = map(math.log, self.aspect_ratio)
        while len(rows := ((missing > 0) & (failures < _ATTEMPTS)).nonzero()[:, 0]):
            size, ratio, *places = keys.uniform(size=(4,))[rows].unbind(1)
            area = self.min_patches + (missing[rows] - self.min_patches) * size
            sizes = rectangle_sizes(area, (low + (high - low) * ratio).exp())
            fits = (sizes <= torch.tensor(grid)).all(dim=1)
            rectangles = place_rectangles(sizes.minimum(torch.tensor(grid)), torch.stack(places, dim=1), grid)
            added = (rectangles & ~mask[rows]).sum(dim=(1, 2))
            accepted = fits & (added > 0) & (added <= missing[rows])
            mask[rows] |= rectangles & accepted[:, None, None]
            missing[rows] -= added * accepted
            failures[rows] = torch.where(accepted, 0, failures[rows] + 1)
        return mask


def _mask_single_patches(keys: sslreg.Keys, mask: Tensor, count: Tensor) -> Tensor:
    """Mask more patches (N, L) at random, `count` (N,) in each image."""
    rows = count.nonzero()[:, 0]
    order = keys.uniform(size=tuple(mask.shape[1:]))[rows].masked_fill(mask[rows], 1.0)
    mask[rows] |= order.argsort(dim=1, stable=True).argsort(dim=1) < count[rows, None]
    return mask
