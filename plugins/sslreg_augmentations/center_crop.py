"""The center of the image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations._arguments import height_and_width


class CenterCrop(sslreg.Augmentation):
    """Crops the central (height, width) of an image, which must be at least that large."""

    ragged = True
    geometry = True

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = height_and_width(size)

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        height, width = self.size
        if bool(((shapes[:, 1] < height) | (shapes[:, 2] < width)).any()):
            smallest = " × ".join(str(int(side)) for side in shapes[:, 1:].amin(dim=0))
            raise ValueError(f"an image of {smallest} is smaller than the crop of {height} × {width}; resize it before")
        return {}

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        return [self._crop(image) for image in images]

    def output_shapes(self, shapes: Tensor, params: sslreg.Params) -> Tensor:
        return torch.cat((shapes[:, :1], torch.tensor([self.size]).expand(len(shapes), 2)), dim=1)

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        return [self]

    def _crop(self, image: Tensor) -> Tensor:
        height, width = self.size
        # Halves round to even, as in torchvision.
        top, left = round((image.shape[1] - height) / 2), round((image.shape[2] - width) / 2)
        return image[:, top : top + height, left : left + width]
