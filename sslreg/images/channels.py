"""The channels of images: alpha over a background, gray to RGB and back."""

from __future__ import annotations

import torch
from torch import Tensor

from sslreg.errors import UserError

#: ITU-R 601-2 luma, the weights of torchvision and Pillow.
LUMA = (0.2989, 0.587, 0.114)

#: Red, green and blue in [0, 1].
Color = tuple[float, float, float]

WHITE: Color = (1.0, 1.0, 1.0)


def lay_over(pixels: Tensor, background: Color) -> Tensor:
    """Return pixels (C - 1, H, W) laid over a color by the last channel, their opacity.

    Gray pixels over a color that is not gray become RGB.

    Raises:
        UserError: The pixels are neither gray nor RGB, and the color is not gray.
    """
    top = 255 if pixels.dtype == torch.uint8 else 1.0
    color, alpha = pixels[:-1].to(torch.float32), pixels[-1:].to(torch.float32) / top
    level: float | Tensor = background[0]
    if len(set(background)) > 1:
        if len(color) not in (1, 3):
            raise UserError(
                f"it has {len(color)} channels, which cannot be laid over a color",
                hint="choose a gray data.background, such as white, or keep",
            )
        level = torch.tensor(background)[:, None, None]
    over = color * alpha + top * level * (1.0 - alpha)
    return over.round_().to(torch.uint8) if pixels.dtype == torch.uint8 else over


def keep_alpha(pixels: Tensor, channels: int) -> Tensor:
    """Return an image with C channels, of which the last is its opacity.

    Args:
        pixels: With the opacity as the last channel.
        channels: The wanted C.

    Raises:
        UserError: The other channels cannot be converted.
    """
    return torch.cat([convert_channels(pixels[:-1], channels - 1), pixels[-1:]])


def add_alpha(pixels: Tensor) -> Tensor:
    """Return an image with an opaque alpha channel."""
    top = 255 if pixels.dtype == torch.uint8 else 1
    return torch.cat([pixels, torch.full_like(pixels[:1], top)])


def is_convertible(found: int, channels: int | None) -> bool:
    """Return whether `convert_channels` can convert an image of `found` channels."""
    return channels in (None, found) or {found, channels} == {1, 3}


def require_convertible(found: int, channels: int | None) -> None:
    """Check that `convert_channels` can convert an image of `found` channels.

    Raises:
        UserError: It cannot.
    """
    if not is_convertible(found, channels):
        raise UserError(
            f"it has {found} channels, and {channels} are wanted",
            hint="only 1 and 3 channels are converted into each other; set data.channels to what the images have",
        )


def convert_channels(pixels: Tensor, channels: int | None) -> Tensor:
    """Return an image with this many channels: gray is repeated, RGB is weighed by luma; None changes nothing.

    Raises:
        UserError: Neither the image nor the wanted one is gray or RGB.
    """
    found = pixels.shape[0]
    if channels is None or found == channels:
        return pixels
    require_convertible(found, channels)
    if channels == 3:
        return pixels.expand(3, -1, -1).contiguous()
    gray: Tensor = torch.tensordot(torch.tensor([LUMA]), pixels.to(torch.float32), dims=1)
    return gray.round_().to(torch.uint8) if pixels.dtype == torch.uint8 else gray
