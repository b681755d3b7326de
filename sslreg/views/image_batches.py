"""Applying an augmentation to images of any sizes, or to some of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from sslreg.contracts.augmentation import Augmentation, Images, Params

#: How many numbers an image has at most that takes longer to handle by itself than to copy.
_SMALL = 3 * 64 * 64


class Shaped(Protocol):
    """What has a shape (C, H, W) and a type: an image, or a file that will become one."""

    @property
    def shape(self) -> torch.Size: ...

    @property
    def dtype(self) -> torch.dtype: ...


ShapedT = TypeVar("ShapedT", bound=Shaped)


def gathered(images: Images) -> Images:
    """The images as a batch (N, C, H, W) where their sizes and types agree, as they are otherwise."""
    if isinstance(images, Tensor) or not images:
        return images
    first = images[0]
    if all(image.shape == first.shape and image.dtype == first.dtype for image in images):
        return torch.stack(images)
    return images


def together(images: list[ShapedT]) -> Tensor | list[ShapedT]:
    """Small images as a batch (N, C, H, W) where their sizes and types agree, each pixel's channels side by side."""
    pixels: list[Tensor] = [image for image in images if isinstance(image, Tensor)]
    if not pixels or len(pixels) < len(images) or pixels[0].numel() > _SMALL:
        return images
    if len({(image.shape, image.dtype) for image in pixels}) > 1:
        return images
    shape = (len(pixels), *pixels[0].shape)
    batch = torch.empty(shape, dtype=pixels[0].dtype, memory_format=torch.channels_last)
    return torch.stack(pixels, out=batch)


def as_float(images: Images) -> Images:
    """The images in float32: uint8 levels become [0, 1], float32 stays as it is."""
    if isinstance(images, list):
        return [_as_float(image) for image in images]
    return _as_float(images)


def _as_float(pixels: Tensor) -> Tensor:
    return pixels.to(torch.float32) / 255 if pixels.dtype == torch.uint8 else pixels


def shapes_of(images: Tensor | Sequence[Shaped]) -> Tensor:
    """int64 (N, 3): C, H, W of each image."""
    if isinstance(images, Tensor):
        return torch.tensor(images.shape[1:]).expand(len(images), 3)
    shapes = [image.shape for image in images]
    if len(set(shapes)) == 1:
        return torch.tensor(shapes[0]).expand(len(shapes), 3)
    return torch.from_numpy(np.array(shapes, dtype=np.int64).reshape(-1, 3))


def eight_bits_of(images: Tensor | Sequence[Shaped]) -> Tensor:
    """bool (N,): whether each image's levels are of 8 bits."""
    if isinstance(images, Tensor):
        return torch.full((len(images),), images.dtype == torch.uint8)
    return torch.tensor([image.dtype == torch.uint8 for image in images])


def sent(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host's on a device; nothing waits for its way there."""
    if device.type == "cuda":
        # From memory that may be paged out, CUDA would copy only once all of its stream's work is done.
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def apply(augmentation: Augmentation, images: Images, params: Params) -> Images:
    """What the augmentation makes of N images, whose sizes may differ even where it takes none that do.

    params: on the CPU; they are sent to the images' device, unless the augmentation takes them as they are.
    """
    if not augmentation.host_params:
        params = _beside(images, params)
    if not augmentation.ragged:
        images = gathered(images)
    if isinstance(images, Tensor) or augmentation.ragged:
        return gathered(augmentation.apply(images, params))
    results: list[Tensor] = list(images)
    for rows in _rows_of_one_shape(images):
        part = augmentation.apply(torch.stack([images[row] for row in rows]), _rows_of(params, torch.tensor(rows)))
        for row, result in zip(rows, part, strict=True):
            results[row] = result
    return gathered(results)


def apply_where(mask: Tensor, augmentation: Augmentation, images: Images, params: Params) -> Images:
    """Apply an augmentation to the images for which the mask (N,) is true, and leave the others alone.

    mask, params: on the CPU, wherever the images are.
    """
    if mask.all():
        return apply(augmentation, images, params)
    if not mask.any():
        return images
    rows = mask.nonzero().squeeze(1)
    if isinstance(images, Tensor):
        there = sent(rows, images.device)
        part = apply(augmentation, images[there], _rows_of(params, rows))
        if isinstance(part, Tensor) and part.shape[1:] == images.shape[1:]:
            return images.index_copy(0, there, part)
    else:
        part = apply(augmentation, gathered([images[row] for row in rows]), _rows_of(params, rows))
    results = list(images)
    for row, result in zip(rows.tolist(), part, strict=True):
        results[row] = result
    return gathered(results)


def _beside(images: Images, params: Params) -> Params:
    device = images[0].device if len(images) else torch.device("cpu")
    if device.type == "cpu":
        return params
    return {name: sent(values, device) for name, values in params.items()}


def _rows_of(params: Params, rows: Tensor) -> Params:
    return {name: values[sent(rows, values.device)] for name, values in params.items()}


def _rows_of_one_shape(images: Sequence[Tensor]) -> list[list[int]]:
    rows: dict[torch.Size, list[int]] = {}
    for row, image in enumerate(images):
        rows.setdefault(image.shape, []).append(row)
    return list(rows.values())
