"""Color arithmetic on batches (N, C, H, W) in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

import sslreg


def luma(images: Tensor) -> Tensor:
    """Return the luma (N, 1, H, W) of RGB images."""
    red, green, blue = images.unbind(1)
    gray: Tensor = sslreg.LUMA[0] * red + sslreg.LUMA[1] * green + sslreg.LUMA[2] * blue
    return gray.unsqueeze(1)


def mean_per_image(images: Tensor) -> Tensor:
    """Return the mean level (N, 1, 1, 1) of each image, by pairwise sums.

    torch.sum splits an image by the size of the batch and the number of threads, so its rounding depends on them.
    """
    values = images.flatten(1)
    count = values.shape[1]
    while (width := values.shape[1]) > 1:
        half = width // 2
        folded = values[:, :half] + values[:, half : 2 * half]
        if width % 2:
            folded[:, 0] += values[:, -1]
        values = folded
    return (values / count)[:, :, None, None]


def blend(images: Tensor, others: Tensor, factor: Tensor) -> Tensor:
    """Return factor · images + (1 - factor) · others, clamped; factor is (N, 1, 1, 1)."""
    return (factor * images + (1.0 - factor) * others).clamp_(0.0, 1.0)


def shift_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Shift the hue of RGB images by `shift` (N, 1, 1, 1) turns of the color wheel."""
    red, green, blue = images.unbind(1)
    value, low = images.amax(dim=1), images.amin(dim=1)
    chroma = value - low
    divisor = torch.where(chroma == 0, 1.0, chroma)
    sixths = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2.0, (red - green) / divisor + 4.0),
    )
    sixths = sixths + 6.0 * shift[:, 0]
    # Each channel as a function of hue (https://en.wikipedia.org/wiki/HSL_and_HSV, HSV to RGB, alternative).
    channels = []
    for offset in (5.0, 3.0, 1.0):
        k = sixths + offset
        k = k - 6.0 * torch.floor(k / 6.0)
        channels.append(value - chroma * torch.minimum(k, 4.0 - k).clamp_(0.0, 1.0))
    return torch.stack(channels, dim=1)
