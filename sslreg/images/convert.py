"""Decoded images to tensors (C, H, W) of the wanted number of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from sslreg.contracts.reader import Pixels
from sslreg.errors import UserError
from sslreg.images.channels import WHITE, Color, add_alpha, convert_channels, is_convertible, keep_alpha, lay_over
from sslreg.images.levels import normalize_levels

#: What is behind transparent pixels: a color, or ``keep`` to keep the opacity as the last channel. None: white, unless
#: the image with its opacity has as many channels as are wanted.
Background = Color | Literal["keep"] | None

#: The levels that mean black and white.
LevelRange = tuple[float, float]


def convert_pixels(
    pixels: Pixels, channels: int | None, *, range: LevelRange | None = None, background: Background = None
) -> Tensor:
    """Return what a reader decoded as uint8, or as float32 in [0, 1] if it has more than 8 bits.

    Args:
        pixels: What a reader returned.
        channels: The wanted number of channels; None for those of the image.
        range: The levels that mean black and white; None for those that the reader states.
        background: What is behind transparent pixels.

    Raises:
        UserError: The levels cannot be interpreted, or the number of channels cannot be converted.
    """
    levels = pixels.levels if isinstance(pixels.levels, Tensor) else _as_tensor(pixels.levels)
    if pixels.alpha and not (range is pixels.range is None):
        levels = _normalize_with_alpha(levels, pixels.range, range)
    else:
        levels = normalize_levels(levels, pixels.range, range)
    return _convert_alpha(levels, channels, background, has_alpha=pixels.alpha)


def _normalize_with_alpha(levels: Tensor, own: LevelRange | None, stated: LevelRange | None) -> Tensor:
    """Normalize levels whose last channel is an opacity, for which the larger level of the reader is opaque."""
    color = normalize_levels(levels[:-1], own, stated)
    alpha = normalize_levels(levels[-1:], None if own is None else (min(own), max(own)))
    if color.dtype != alpha.dtype:
        color, alpha = (part / 255 if part.dtype == torch.uint8 else part for part in (color, alpha))
    return torch.cat([color, alpha])


def _convert_alpha(levels: Tensor, channels: int | None, background: Background, *, has_alpha: bool) -> Tensor:
    """Return an image of the wanted channels in front of a background."""
    if background == "keep":
        if channels is None or (len(levels) == channels and not has_alpha):
            return levels
        return keep_alpha(levels if has_alpha else add_alpha(levels), channels)
    if has_alpha and (background is not None or len(levels) != channels):
        levels = lay_over(levels, background or WHITE)
    return convert_channels(levels, channels)


def convert_array(
    image: Tensor | np.ndarray[Any, Any],
    channels: int | None,
    *,
    range: LevelRange | None = None,
    background: Background = None,
) -> Tensor:
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
    return _convert_alpha(normalize_levels(pixels, None, range), channels, background, has_alpha=False)


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
