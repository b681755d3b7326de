"""A resize, and the center crop that follows it, as images are embedded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

import sslreg
from sslreg_augmentations import _kernel_dispatch
from sslreg_augmentations._resampling import Interpolation, resized
from sslreg_augmentations.center_crop import CenterCrop

if TYPE_CHECKING:
    from sslreg_augmentations.resize import Resize

_UPRIGHT = np.zeros((1, 2), dtype=np.bool_)


class FusedResize(sslreg.Augmentation):
    """A resize and, possibly, a center crop. Levels of 8 bits are rounded once."""

    geometry = True
    ragged = True
    eight_bits = True

    def __init__(self, resize: Resize, crop: CenterCrop | None = None) -> None:
        self.resize, self.crop = resize, crop

    def absorb(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        if isinstance(following, CenterCrop) and self.crop is None:
            return FusedResize(self.resize, following)
        return None

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        results = [
            resized_levels(image, self.resize.target(*image.shape[1:]), self.resize.interpolation) for image in images
        ]
        return results if self.crop is None else self.crop.apply(results, {})


def resized_levels(image: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    """An image (C, H, W) at another size; levels of 8 bits are rounded."""
    if image.shape[1:] == size:
        return image
    kernels = _kernel_dispatch.kernels("resampling", [image]) if interpolation == "bilinear" else None
    if kernels is None:
        result = resized(_kernel_dispatch.floats(image), size, interpolation)
        return result if image.is_floating_point() else (result * 255).round().to(torch.uint8)
    result = torch.empty(image.shape[0], *size, dtype=image.dtype)
    everything = np.array([[0.0, 0.0, *image.shape[1:]]])
    kernels.resample(image.permute(1, 2, 0).contiguous().numpy()[None], everything, _UPRIGHT, result.numpy()[None])
    return result
