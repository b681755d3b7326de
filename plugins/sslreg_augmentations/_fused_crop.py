"""A crop, its resizing and flips, in one pass over each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations import _kernel_dispatch
from sslreg_augmentations._resampling import resized
from sslreg_augmentations.horizontal_flip import HorizontalFlip
from sslreg_augmentations.vertical_flip import VerticalFlip

if TYPE_CHECKING:
    from sslreg_augmentations.random_resized_crop import RandomResizedCrop


class FusedCrop(sslreg.Augmentation):
    """A random resized crop and the flips that follow it. Levels of 8 bits are rounded once."""

    geometry = True
    ragged = True
    eight_bits = True
    host_params = True

    def __init__(self, crop: RandomResizedCrop, flips: Sequence[HorizontalFlip | VerticalFlip] = ()) -> None:
        self.crop, self.flips = crop, list(flips)

    def absorb(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        if isinstance(following, HorizontalFlip | VerticalFlip):
            return FusedCrop(self.crop, [*self.flips, following])
        return None

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        boxes = torch.stack([params[f"0.{name}"] for name in ("top", "left", "height", "width")], dim=1)
        flips = torch.zeros(len(images), 2, dtype=torch.bool)
        for number, flip in enumerate(self.flips, start=1):
            acts = params.get(f"{number}.applied", torch.ones(len(images), dtype=torch.bool))
            flips[:, int(isinstance(flip, HorizontalFlip))] ^= acts
        return crop_and_flip(images, boxes, flips, self.crop)


def crop_and_flip(images: sslreg.Images, boxes: Tensor, flips: Tensor, crop: RandomResizedCrop) -> sslreg.Images:
    """Parts of images, resized, and turned upside down or mirrored; those of 8 bits are rounded once.

    boxes: (N, 4), top, left, height, width; flips: bool (N, 2).
    """
    kernels = _kernel_dispatch.kernels("resampling", images) if crop.interpolation == "bilinear" else None
    if kernels is None:
        rows = zip(images, boxes.tolist(), flips.tolist(), strict=True)
        return [_in_torch(image, box, flip, crop) for image, box, flip in rows]
    height, width = crop.size
    edges, turns = boxes.double().numpy(), flips.numpy()
    if isinstance(images, Tensor):
        result = sslreg.empty_result((*images.shape[:2], height, width), images.dtype)
        kernels.resample(images.permute(0, 2, 3, 1).contiguous().numpy(), edges, turns, result.numpy())
        return result
    results: sslreg.Images
    if len({(image.dtype, image.shape[0]) for image in images}) == 1:
        results = sslreg.empty_result((len(images), images[0].shape[0], height, width), images[0].dtype)
    else:
        results = [torch.empty(image.shape[0], height, width, dtype=image.dtype) for image in images]
    for n, (image, target) in enumerate(zip(images, results, strict=True)):
        pixels = image.permute(1, 2, 0).contiguous().numpy()
        kernels.resample(pixels[None], edges[n : n + 1], turns[n : n + 1], target.numpy()[None])
    return results


def _in_torch(image: Tensor, box: list[int], flip: list[bool], crop: RandomResizedCrop) -> Tensor:
    top, left, height, width = box
    part = _kernel_dispatch.floats(image[:, top : top + height, left : left + width])
    result = resized(part, crop.size, crop.interpolation)
    result = result.flip([axis for axis, turned in zip((1, 2), flip, strict=True) if turned])
    return result if image.is_floating_point() else (result * 255).round().to(torch.uint8)
