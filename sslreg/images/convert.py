"""Decoded images to tensors (C, H, W) of the wanted number of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sslreg.contracts.reader import Pixels
from sslreg.errors import UserError
from sslreg.images.channels import convert_channels, is_convertible, lay_over_white
from sslreg.images.levels import normalize_levels


def convert_pixels(pixels: Pixels, channels: int | None) -> Tensor:
    """Return what a reader decoded as uint8, or as float32 in [0, 1] if it has more than 8 bits.

    Raises:
        UserError: The levels cannot be interpreted, or the number of channels cannot be converted.
    """
    levels = pixels.levels if isinstance(pixels.levels, Tensor) else _as_tensor(pixels.levels)
    levels = normalize_levels(levels, pixels.range)
    if pixels.alpha and len(levels) != channels:
        levels = lay_over_white(levels)
    return convert_channels(levels, channels)


def convert_array(image: Tensor | np.ndarray[Any, Any], channels: int | None) -> Tensor:
    """Return an image in memory, (C, H, W) or (H, W) for gray, as `convert_pixels` does.

    Raises:
        UserError: Its shape or its levels cannot be interpreted, or the number of channels cannot be converted.
    """
    shape = image.shape
    if len(shape) not in (2, 3):
        raise UserError(f"its shape is {tuple(shape)}", hint="an image is (C, H, W), or (H, W) for gray")
    if len(shape) == 3 and shape[0] != channels and _has_channels_last(shape, channels):
        raise UserError(
            f"its shape is {tuple(shape)}, which looks like (H, W, C)",
            hint="make it (C, H, W): .transpose(2, 0, 1) of an array, .permute(2, 0, 1) of a tensor",
        )
    pixels = image.detach() if isinstance(image, Tensor) else torch.from_numpy(_copy_native(image))
    if len(shape) == 2:
        pixels = pixels.unsqueeze(0)
    return convert_channels(normalize_levels(pixels), channels)


def _has_channels_last(shape: Sequence[int], channels: int | None) -> bool:
    return shape[2] <= 4 < shape[0] or (shape[2] == channels and not is_convertible(shape[0], channels))


def _as_tensor(levels: np.ndarray[Any, Any]) -> Tensor:
    """Return an array as a tensor, copied only if torch cannot use its memory."""
    if levels.flags.writeable and levels.dtype.isnative and min(levels.strides, default=0) >= 0:
        return torch.from_numpy(levels)
    return torch.from_numpy(_copy_native(levels))


def _copy_native(levels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a copy in the byte order of this machine, the only one that torch knows."""
    return np.array(levels) if levels.dtype.isnative else levels.astype(levels.dtype.newbyteorder("="))
