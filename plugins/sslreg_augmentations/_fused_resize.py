"""A resize and the center crop that follows it, as images are embedded."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import sslreg
from sslreg_augmentations import _kernel_dispatch
from sslreg_augmentations._resampling import Interpolation, resize, resized_shape
from sslreg_augmentations.center_crop import CenterCrop

#: The longer side, in shorter sides, from which only the middle of an image is resized before a center crop.
_LONGEST = 16

_NO_FLIP = np.zeros((1, 2), dtype=np.bool_)


class FusedResize(sslreg.Augmentation):
    """A resize and, possibly, a center crop. uint8 levels are rounded once."""

    geometry = True
    ragged = True
    takes_uint8 = True

    def __init__(
        self, size: int | tuple[int, int], interpolation: Interpolation, crop: CenterCrop | None = None
    ) -> None:
        self.size, self.interpolation, self.crop = size, interpolation, crop

    def fuse_with(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        if isinstance(following, CenterCrop) and self.crop is None:
            return FusedResize(self.size, self.interpolation, following)
        return None

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        if self.crop is None:
            return [self._resize(image) for image in images]
        if isinstance(self.size, int):
            images = [_cut_margins(image, self.crop.size) for image in images]
        return self.crop.apply([self._resize(image) for image in images], {})

    def _resize(self, image: Tensor) -> Tensor:
        return resize_levels(image, resized_shape(self.size, *image.shape[1:]), self.interpolation)


def _cut_margins(image: Tensor, crop: tuple[int, int]) -> Tensor:
    """Return a very long image without most of what a center crop removes once the shorter side is resized.

    A row of 6,000 pixels whose shorter side becomes 224 would otherwise be resized to 300 million pixels. The rest has
    the same center and shows more than the crop: no side of the crop is larger than the shorter side of the image times
    the proportions of the crop.
    """
    _, height, width = image.shape
    proportions = -(-max(crop) // min(crop))
    kept = _LONGEST * proportions * min(height, width)
    rows, columns = (max((side - kept) // 2, 0) for side in (height, width))
    return image[:, rows : height - rows, columns : width - columns]


def resize_levels(image: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    """Resize an image (C, H, W), uint8 or float32; uint8 results are rounded."""
    if image.shape[1:] == size:
        return image
    kernels = _kernel_dispatch.cpu_kernels("resampling", [image]) if interpolation == "bilinear" else None
    if kernels is None:
        result = resize(sslreg.to_float(image), size, interpolation)
        return result if image.is_floating_point() else (result * 255).round().to(torch.uint8)
    result = torch.empty(image.shape[0], *size, dtype=image.dtype)
    whole = np.array([[0.0, 0.0, *image.shape[1:]]])
    kernels.resample(image.permute(1, 2, 0).contiguous().numpy()[None], whole, _NO_FLIP, result.numpy()[None])
    return result
