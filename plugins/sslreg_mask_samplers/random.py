"""Random patches, or random squares of patches."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field

import sslreg


class RandomMaskSampler(sslreg.MaskSampler):
    """Masks the same number of patches in each image, at random (MAE, arXiv 2111.06377, section 3).

    With a `unit`, it masks squares of patches instead (SimMIM, arXiv 2111.09886, section 3.2).

    Args:
        ratio: The share of the squares that are masked; their number is rounded up.
        unit: The side of a square in patches. SimMIM masks squares of 32 pixels, such as 2 x 2 patches of 16 pixels.

    Raises:
        ValueError: The grid has fewer than two squares, or its rows or columns are not a multiple of `unit`.
    """

    def __init__(
        self, ratio: Annotated[float, Field(gt=0, lt=1)] = 0.75, unit: Annotated[int, Field(ge=1)] = 1
    ) -> None:
        self.ratio = ratio
        self.unit = unit

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        rows, columns = self._grid_of_squares(grid)
        squares = rows * columns
        # The subtraction keeps 0.9 * 10 = 9.000000000000002 from being rounded up to 10.
        masked = min(max(math.ceil(self.ratio * squares - 1e-9), 1), squares - 1)
        mask = torch.zeros(len(keys), squares, dtype=torch.bool)
        mask.scatter_(1, keys.permutation(squares)[:, :masked], True)
        mask = mask.view(-1, rows, columns)
        mask = mask.repeat_interleave(self.unit, 1).repeat_interleave(self.unit, 2).flatten(1)
        return sslreg.Masks(context=~mask, targets=mask[:, None])

    def _grid_of_squares(self, grid: tuple[int, int]) -> tuple[int, int]:
        """Return the numbers of rows and columns of squares."""
        rows, columns = grid
        if rows % self.unit or columns % self.unit:
            raise ValueError(
                f"{rows}x{columns} patches do not divide into squares of {self.unit}x{self.unit} patches; set `unit` "
                "to a common divisor, or change the image size"
            )
        if rows * columns < 2 * self.unit**2:
            raise ValueError(f"{rows}x{columns} patches are too few to mask some of them; use larger images")
        return rows // self.unit, columns // self.unit
