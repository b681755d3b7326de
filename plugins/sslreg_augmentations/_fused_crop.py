"""A crop, its resizing and the flips after it, in one pass over each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

import sslreg
from sslreg_augmentations import _kernel_dispatch
from sslreg_augmentations._resampling import Interpolation, resize
from sslreg_augmentations.horizontal_flip import HorizontalFlip
from sslreg_augmentations.vertical_flip import VerticalFlip


class FusedCrop(sslreg.Augmentation):
    """A crop that is resized to (height, width), and the flips that follow it. uint8 levels are rounded once."""

    geometry = True
    ragged = True
    takes_uint8 = True
    params_on_host = True

    def __init__(
        self,
        size: tuple[int, int],
        interpolation: Interpolation,
        flips: Sequence[HorizontalFlip | VerticalFlip] = (),
    ) -> None:
        self.size, self.interpolation, self.flips = size, interpolation, list(flips)

    def fuse_with(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        if isinstance(following, HorizontalFlip | VerticalFlip):
            return FusedCrop(self.size, self.interpolation, [*self.flips, following])
        return None

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        boxes = torch.stack([params[f"0.{name}"] for name in ("top", "left", "height", "width")], dim=1)
        flips = torch.zeros(len(images), 2, dtype=torch.bool)
        for number, flip in enumerate(self.flips, start=1):
            applied = params.get(f"{number}.applied", torch.ones(len(images), dtype=torch.bool))
            flips[:, int(isinstance(flip, HorizontalFlip))] ^= applied
        return crop_and_flip(images, boxes, flips, self.size, self.interpolation)


def crop_and_flip(
    images: sslreg.Images, boxes: Tensor, flips: Tensor, size: tuple[int, int], interpolation: Interpolation
) -> sslreg.Images:
    """Crop images, resize the crops and flip them; uint8 results are rounded once.

    Args:
        images: uint8 or float32.
        boxes: (N, 4), top, left, height and width of the crops in pixels, integers or fractions.
        flips: bool (N, 2), whether to flip vertically and horizontally.
        size: height and width of the results.
        interpolation: how to resize.
    """
    kernels = _kernel_dispatch.cpu_kernels("resampling", images) if interpolation == "bilinear" else None
    if kernels is None:
        rows = zip(images, boxes.tolist(), flips.tolist(), strict=True)
        return [_crop_in_torch(image, box, flip, size, interpolation) for image, box, flip in rows]
    edges, turns = boxes.double().numpy(), flips.numpy()
    if isinstance(images, Tensor):
        result = sslreg.empty_result((*images.shape[:2], *size), images.dtype)
        kernels.resample(images.permute(0, 2, 3, 1).contiguous().numpy(), edges, turns, result.numpy())
        return result
    results: sslreg.Images
    targets: NDArray[Any] | list[NDArray[Any]]
    if len({(image.dtype, image.shape[0]) for image in images}) == 1:
        results = sslreg.empty_result((len(images), images[0].shape[0], *size), images[0].dtype)
        # An array gives its rows in less time than a tensor.
        targets = results.numpy()
    else:
        results = [torch.empty(image.shape[0], *size, dtype=image.dtype) for image in images]
        targets = [result.numpy() for result in results]
    for n, (image, target) in enumerate(zip(images, targets, strict=True)):
        pixels = image.permute(1, 2, 0).contiguous().numpy()
        kernels.resample(pixels[None], edges[n : n + 1], turns[n : n + 1], target[None])
    return results


def _crop_in_torch(
    image: Tensor, box: list[int], flip: list[bool], size: tuple[int, int], interpolation: Interpolation
) -> Tensor:
    top, left, height, width = box
    crop = sslreg.to_float(image[:, top : top + height, left : left + width])
    result = resize(crop, size, interpolation)
    result = result.flip([axis for axis, flipped in zip((1, 2), flip, strict=True) if flipped])
    return result if image.is_floating_point() else (result * 255).round().to(torch.uint8)
