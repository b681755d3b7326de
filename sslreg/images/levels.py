"""The depth of images: levels of any type to uint8 or to float32 in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from sslreg.errors import UserError

#: How far rounding may move levels out of [0, 1].
_TOLERANCE = 1e-6


def normalize_levels(
    pixels: Tensor, own: tuple[float, float] | None = None, stated: tuple[float, float] | None = None
) -> Tensor:
    """Return 8-bit levels unchanged and all other levels as float32 in [0, 1].

    Args:
        pixels: (C, H, W), uint8, uint16, bool or floating point; with a stated range, also other integers.
        own: The levels that mean black and white in the image; None: all levels of an integer type, 0 and 1 for
            floating point. Other levels are an error.
        stated: The levels that the spec states, which replace the others; they are exchanged if the image is inverted,
            so that its black is above its white. Levels below and above are clipped, and NaN is the first of the two.

    Raises:
        UserError: The image is empty, of another type, or has levels outside its range.
    """
    if not pixels.numel():
        raise UserError(f"it has no pixels: its shape is {tuple(pixels.shape)}")
    if stated is not None and pixels.dtype != torch.bool and not pixels.is_complex():
        return _clip(pixels, *stated, inverted=own is not None and own[0] > own[1])
    if own is not None and (pixels.dtype, own) != (torch.uint8, (0, 255)):
        return _scale(pixels, *own)
    if pixels.dtype == torch.uint8:
        return pixels
    if pixels.dtype == torch.bool:
        return pixels.to(torch.uint8) * 255
    if pixels.dtype == torch.uint16:
        return pixels.to(torch.float32) / 0xFFFF
    if not pixels.is_floating_point():
        raise UserError(
            f"its levels are {pixels.dtype}",
            hint="make them uint8, uint16, or float32 in [0, 1], or state which of them are black and white in the "
            "spec, data.range: [low, high]",
        )
    low, high = (float(bound) for bound in torch.aminmax(pixels))
    if not (low >= 0.0 and high <= 1.0):
        raise UserError(
            f"its levels run from {low:g} to {high:g}",
            hint="floating-point images lie in [0, 1]: divide by the largest level, or state the levels of black and "
            "white in the spec, data.range: [low, high]; leave normalizing to the views",
        )
    return pixels.to(torch.float32)


def _clip(pixels: Tensor, low: float, high: float, *, inverted: bool) -> Tensor:
    """Return levels from `low` to `high` as float32 in [0, 1]; uint8 stays as it is if these are all of its levels."""
    if pixels.dtype == torch.uint8 and (low, high) == (0, 255):
        return 255 - pixels if inverted else pixels
    # float32 represents all integers of up to 24 bits.
    exact = torch.float32 if pixels.dtype.itemsize <= 2 or pixels.dtype == torch.float32 else torch.float64
    levels = ((pixels.to(exact) - low) / (high - low)).nan_to_num_(0.0).clamp_(0.0, 1.0).to(torch.float32)
    return 1.0 - levels if inverted else levels


def _scale(pixels: Tensor, black: float, white: float) -> Tensor:
    scaled = (pixels.to(torch.float32) - black) / (white - black)
    low, high = (float(bound) for bound in torch.aminmax(scaled))
    # Rounding may put the ends of the range a little outside.
    if not (low >= -_TOLERANCE and high <= 1.0 + _TOLERANCE):
        raise UserError(
            f"its levels leave their range, {black:g} to {white:g}",
            hint="the reader has to clip them, or the spec states their range, data.range: [low, high]",
        )
    return scaled.clamp_(0.0, 1.0)
