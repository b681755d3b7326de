"""Resizing images, and reading them between their pixels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

Interpolation = Literal["nearest", "nearest-exact", "bilinear", "bicubic"]


def resized_shape(size: int | tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """Return the height and width of a resized image; one number is the size of the shorter side."""
    if not isinstance(size, int):
        return size
    if height <= width:
        return size, int(size * width / height)
    return int(size * height / width), size


def resize(image: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    """Resize a float32 image (C, H, W) to (height, width), antialiased, like Pillow and torchvision."""
    if image.shape[1:] == size:
        return image
    if interpolation.startswith("nearest"):
        return interpolate(image[None], size, mode=interpolation)[0]
    smooth = interpolate(image[None], size, mode=interpolation, align_corners=False, antialias=True)[0]
    # A cubic overshoots at edges.
    return smooth.clamp_(0.0, 1.0) if interpolation == "bicubic" else smooth


def pixel_centers(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return y (H, 1) and x (1, W) of the pixels, in pixels from the center of the image."""
    y = torch.arange(height, dtype=torch.float32, device=device) - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float32, device=device) - (width - 1) / 2
    return y[:, None], x[None, :]


def sample_at(
    images: Tensor, y: Tensor, x: Tensor, interpolation: Literal["nearest", "bilinear"], fill: float
) -> Tensor:
    """Read images (N, C, H, W) at positions between their pixels.

    Args:
        images: float32.
        y, x: (N, H, W), the positions, in pixels from the center of the image.
        interpolation: how to read between pixels.
        fill: the level outside of the image.
    """
    height, width = images.shape[2:]
    grid = torch.stack((x / (width / 2), y / (height / 2)), dim=-1)
    # grid_sample pads with zeros, so shift the levels until the fill is zero.
    source = images - fill if fill else images
    result = grid_sample(source, grid, mode=interpolation, padding_mode="zeros", align_corners=False)
    return result + fill if fill else result
