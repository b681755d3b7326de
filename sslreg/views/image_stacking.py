"""Images of any sizes and types as one batch, and what a batch of them has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, overload

import numpy as np
import torch
from torch import Tensor

from sslreg.contracts.augmentation import Images

#: Images of at most this many numbers take longer to handle one by one than to copy.
_SMALL = 3 * 64 * 64


class Shaped(Protocol):
    """An image, or a file that will be decoded to one: a shape (C, H, W) and a type."""

    @property
    def shape(self) -> torch.Size: ...

    @property
    def dtype(self) -> torch.dtype: ...


ShapedT = TypeVar("ShapedT", bound=Shaped)


def stack_images(images: Images) -> Images:
    """Stack images of one size and type to a batch (N, C, H, W); return others unchanged."""
    if isinstance(images, Tensor) or not images:
        return images
    first = images[0]
    if all(image.shape == first.shape and image.dtype == first.dtype for image in images):
        return torch.stack(images)
    return images


def stack_small_images(images: list[ShapedT]) -> Tensor | list[ShapedT]:
    """Stack small images of one size and type to a batch (N, C, H, W) in channels-last memory; return others as is."""
    pixels: list[Tensor] = [image for image in images if isinstance(image, Tensor)]
    if not pixels or len(pixels) < len(images) or pixels[0].numel() > _SMALL:
        return images
    if len({(image.shape, image.dtype) for image in pixels}) > 1:
        return images
    shape = (len(pixels), *pixels[0].shape)
    batch = torch.empty(shape, dtype=pixels[0].dtype, memory_format=torch.channels_last)
    return torch.stack(pixels, out=batch)


@overload
def to_float(images: Tensor) -> Tensor: ...
@overload
def to_float(images: Images) -> Images: ...
def to_float(images: Images) -> Images:
    """Convert images to float32: uint8 to [0, 1]; floating point stays as it is."""
    if isinstance(images, list):
        return [_to_float(image) for image in images]
    return _to_float(images)


def _to_float(pixels: Tensor) -> Tensor:
    return pixels.to(torch.float32) / 255 if pixels.dtype == torch.uint8 else pixels


def round_to_uint8(images: Images, rows: Tensor) -> Images:
    """Round float32 images in [0, 1] to uint8 where `rows`, bool (N,) on the CPU, is true."""
    rounded = rows.tolist()
    if isinstance(images, Tensor) and all(rounded):
        return _round(images)
    return stack_images([_round(image) if row else image for image, row in zip(images, rounded, strict=True)])


def _round(pixels: Tensor) -> Tensor:
    return (pixels * 255).round_().clamp_(0, 255).to(torch.uint8)


def shapes_of(images: Tensor | Sequence[Shaped]) -> Tensor:
    """Return C, H, W of each image: int64 (N, 3)."""
    if isinstance(images, Tensor):
        return torch.tensor(images.shape[1:]).expand(len(images), 3)
    shapes = [image.shape for image in images]
    if len(set(shapes)) == 1:
        return torch.tensor(shapes[0]).expand(len(shapes), 3)
    return torch.from_numpy(np.array(shapes, dtype=np.int64).reshape(-1, 3))


def are_uint8(images: Tensor | Sequence[Shaped]) -> Tensor:
    """Return whether each image is uint8: bool (N,)."""
    if isinstance(images, Tensor):
        return torch.full((len(images),), images.dtype == torch.uint8)
    return torch.tensor([image.dtype == torch.uint8 for image in images])


def dtypes_of(images: Images) -> set[torch.dtype]:
    """Return the types that occur among the images."""
    return {images.dtype} if isinstance(images, Tensor) else {image.dtype for image in images}
