"""Reading images between their pixels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

Interpolation = Literal["nearest", "nearest-exact", "bilinear", "bicubic"]


def resized(image: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    """An image (C, H, W) at another size (height, width), smoothed where it shrinks, as Pillow and torchvision do."""
    if image.shape[1:] == size:
        return image
    if interpolation.startswith("nearest"):
        return interpolate(image[None], size, mode=interpolation)[0]
    smooth = interpolate(image[None], size, mode=interpolation, align_corners=False, antialias=True)[0]
    # A cubic overshoots at edges.
    return smooth.clamp_(0.0, 1.0) if interpolation == "bicubic" else smooth


def pixel_centers(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """y (H, 1) and x (1, W) of the pixels, in pixels from the image's center."""
    y = torch.arange(height, dtype=torch.float32, device=device) - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float32, device=device) - (width - 1) / 2
    return y[:, None], x[None, :]


def sampled(images: Tensor, y: Tensor, x: Tensor, interpolation: Literal["nearest", "bilinear"], fill: float) -> Tensor:
    """Images (N, C, H, W) read at y and x (N, H, W), in pixels from the center; outside there is `fill`."""
    height, width = images.shape[2:]
    grid = torch.stack((x / (width / 2), y / (height / 2)), dim=-1)
    # grid_sample pads with zero, so zero is made to stand for the fill.
    source = images - fill if fill else images
    result = grid_sample(source, grid, mode=interpolation, padding_mode="zeros", align_corners=False)
    return result + fill if fill else result
