"""The depth of images: levels of any type to uint8 or to float32 in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from sslreg.errors import UserError


def normalize_levels(pixels: Tensor, range_: tuple[float, float] | None = None) -> Tensor:
    """Return 8-bit levels unchanged and all other levels as float32 in [0, 1].

    Args:
        pixels: (C, H, W), uint8, uint16, bool or floating point.
        range_: The levels that mean black and white; None: all levels of an integer type, 0 and 1 for floating point.

    Raises:
        UserError: The image is empty, of another type, or has levels outside its range.
    """
    if not pixels.numel():
        raise UserError(f"it has no pixels: its shape is {tuple(pixels.shape)}")
    if range_ is not None and (pixels.dtype, range_) != (torch.uint8, (0, 255)):
        return _scale(pixels, *range_)
    if pixels.dtype == torch.uint8:
        return pixels
    if pixels.dtype == torch.bool:
        return pixels.to(torch.uint8) * 255
    if pixels.dtype == torch.uint16:
        return pixels.to(torch.float32) / 0xFFFF
    if not pixels.is_floating_point():
        raise UserError(f"its levels are {pixels.dtype}", hint="make them uint8, uint16, or float32 in [0, 1]")
    low, high = (float(bound) for bound in torch.aminmax(pixels))
    if not (low >= 0.0 and high <= 1.0):
        raise UserError(
            f"its levels run from {low:g} to {high:g}",
            hint="floating-point images lie in [0, 1]: divide by the largest level, and leave normalizing to the views",
        )
    return pixels.to(torch.float32)


def _scale(pixels: Tensor, black: float, white: float) -> Tensor:
    scaled = (pixels.to(torch.float32) - black) / (white - black)
    low, high = (float(bound) for bound in torch.aminmax(scaled))
    if not (low >= 0.0 and high <= 1.0):
        raise UserError(f"its levels leave their range, {black:g} to {white:g}", hint="the reader has to clip them")
    return scaled
