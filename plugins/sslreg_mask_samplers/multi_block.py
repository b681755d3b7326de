"""I-JEPA's target blocks and context block."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_mask_samplers._rectangles import check_interval, place_rectangles, rectangle_sizes

#: The number of times that blocks are drawn for an image until the targets leave something of its context block.
_ATTEMPTS = 20


class MultiBlockMaskSampler(sslreg.MaskSampler):
    """Draws target blocks, which may overlap, and a context block without them (I-JEPA, arXiv 2301.08243, section 3).

    Sizes and places are drawn for each image. The published code draws sizes once per batch and cuts all selections to
    the same number of patches, so that its masks depend on the batch.

    Args:
        num_targets: M, the number of target blocks.
        target_scale: The range of the share of the patches that a target block covers.
        target_aspect_ratio: The range of the height of a target block by its width.
        context_scale: The range of the share of the patches that the context block covers before the targets are
            removed. Its aspect ratio is that of the grid.

    Raises:
        ValueError: A range is not in ascending order or out of bounds, or the grid has fewer than two patches.
    """

    def __init__(
        self,
        num_targets: Annotated[int, Field(ge=1)] = 4,
        target_scale: tuple[float, float] = (0.15, 0.2),
        target_aspect_ratio: tuple[float, float] = (0.75, 1.5),
        context_scale: tuple[float, float] = (0.85, 1.0),
    ) -> None:
        self.num_targets = num_targets
        self.target_scale = check_interval("target_scale", target_scale, most=1)
        self.target_aspect_ratio = check_interval("target_aspect_ratio", target_aspect_ratio, most=math.inf)
        self.context_scale = check_interval("context_scale", context_scale, most=1)

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        if math.prod(grid) < 2:
            raise ValueError(f"{grid[0]}x{grid[1]} patches are too few to mask some of them; use larger images")
        targets, context = self._draw(keys, grid)
        for _ in range(_ATTEMPTS - 1):
            empty = ~context.any(dim=1)
            if not empty.any():
                break
            others, rest = self._draw(keys, grid)
            targets[empty], context[empty] = others[empty], rest[empty]
        # In a tiny grid, the targets may cover the context block each time. A single target leaves some patches.
        empty = ~context.any(dim=1)
        targets[empty] = targets[empty, :1]
        context[empty] = ~targets[empty, 0]
        return sslreg.Masks(context, targets)

    def _draw(self, keys: sslreg.Keys, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Draw the targets (N, M, L) and what they leave of the context block (N, L)."""
        patches, count = math.prod(grid), self.num_targets
        area = keys.uniform(*self.target_scale, (count,)) * patches
        sizes = rectangle_sizes(area, keys.uniform(*self.target_aspect_ratio, (count,))).clamp(min=1)
        # As in the published code, a target block is smaller than the grid in both directions.
        sizes = sizes.minimum((torch.tensor(grid) - 1).clamp(min=1))
        targets = place_rectangles(sizes, keys.uniform(size=(count, 2)), grid).flatten(2)
        area = keys.uniform(*self.context_scale) * patches
        sizes = rectangle_sizes(area, torch.tensor(grid[0] / grid[1])).clamp(min=1).minimum(torch.tensor(grid))
        context = place_rectangles(sizes, keys.uniform(size=(2,)), grid).flatten(1)
        return targets, context & ~targets.any(dim=1)
