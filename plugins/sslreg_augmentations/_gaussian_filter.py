"""Gaussian filtering of a batch, with a separate width for each image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def gaussian_filter(images: Tensor, sigma: Tensor, radius: Tensor, reach: int) -> Tensor:
    """Filter images (N, C, H, W) by Gaussians of standard deviation `sigma`, cut off at `radius` pixels.

    The border is reflected, so a radius is cut to the side of the image minus one.

    Args:
        images: float32.
        sigma: (N, 2), along y and along x, on the CPU.
        radius: (N, 2), along y and along x, on the CPU.
        reach: the largest radius that can occur.
    """
    along_y = _filter_rows(images.mT, sigma[:, 0], radius[:, 0], reach).mT
    return _filter_rows(along_y, sigma[:, 1], radius[:, 1], reach).contiguous()


def _filter_rows(images: Tensor, sigma: Tensor, radius: Tensor, reach: int) -> Tensor:
    width = images.shape[3]
    reach = min(reach, width - 1)
    if reach == 0:
        return images
    weights = _half_kernels(sigma, radius, reach).to(images)[:, :, None, None, None]
    padded = pad(images, (reach, reach, 0, 0), mode="reflect")
    # One multiplication and one addition at a time: in a convolution, the bits of a pixel may depend on its place in
    # the batch.
    total = weights[:, 0] * images
    for step in range(1, reach + 1):
        left, right = padded[..., reach - step :][..., :width], padded[..., reach + step :][..., :width]
        total += weights[:, step] * (left + right)
    return total


def _half_kernels(sigma: Tensor, radius: Tensor, reach: int) -> Tensor:
    """Return the weights at distance 0 … reach, which sum to one over both sides: float64 (N, reach + 1)."""
    distance = torch.arange(reach + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (distance / sigma.double()[:, None]).square())
    weights *= distance <= radius[:, None]
    return weights / (2.0 * weights.sum(dim=1, keepdim=True) - weights[:, :1])
