"""The whole image, resized."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations._arguments import height_and_width
from sslreg_augmentations._fused_resize import FusedResize
from sslreg_augmentations._resampling import Interpolation, resized_shape


class Resize(sslreg.Augmentation):
    """Resizes the whole image.

    Args:
        size: (height, width), or one number for the shorter side, which keeps the proportions.
        interpolation: how to resize.
    """

    ragged = True
    geometry = True
    takes_uint8 = True

    def __init__(self, size: int | tuple[int, int], interpolation: Interpolation = "bilinear") -> None:
        height_and_width(size)
        self.size = size
        self.interpolation = interpolation

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        return FusedResize(self.size, self.interpolation).apply(images, params)

    def fuse_with(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        return FusedResize(self.size, self.interpolation).fuse_with(following)

    def output_shapes(self, shapes: Tensor, params: sslreg.Params) -> Tensor:
        return torch.tensor([(channels, *resized_shape(self.size, *size)) for channels, *size in shapes.tolist()])

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        return [self]
