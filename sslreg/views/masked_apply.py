"""An augmentation applied to images of any sizes, or to some images of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Augmentation, Images, Params
from sslreg.contracts.augmentation_protocols import params_on_host
from sslreg.views.device_transfer import to_device
from sslreg.views.image_stacking import stack_images


def apply(augmentation: Augmentation, images: Images, params: Params) -> Images:
    """Apply an augmentation to N images, whose sizes may differ even if it is not `ragged`.

    params: on the CPU; copied to the images' device, unless the augmentation asks for them on the CPU.
    """
    if not params_on_host(augmentation):
        params = _to_device_of(images, params)
    if not augmentation.ragged:
        images = stack_images(images)
    if isinstance(images, Tensor) or augmentation.ragged:
        return stack_images(augmentation.apply(images, params))
    results: list[Tensor] = list(images)
    for rows in _group_by_shape(images):
        part = augmentation.apply(torch.stack([images[row] for row in rows]), _select(params, torch.tensor(rows)))
        for row, result in zip(rows, part, strict=True):
            results[row] = result
    return stack_images(results)


def apply_where(mask: Tensor, augmentation: Augmentation, images: Images, params: Params) -> Images:
    """Apply an augmentation to the images for which the mask, bool (N,), is true; the others stay as they are.

    mask, params: on the CPU, wherever the images are.
    """
    if mask.all():
        return apply(augmentation, images, params)
    if not mask.any():
        return images
    rows = mask.nonzero().squeeze(1)
    if isinstance(images, Tensor):
        rows_on_device = to_device(rows, images.device)
        part = apply(augmentation, images[rows_on_device], _select(params, rows))
        if isinstance(part, Tensor) and part.shape[1:] == images.shape[1:]:
            return images.index_copy(0, rows_on_device, part)
    else:
        part = apply(augmentation, stack_images([images[row] for row in rows]), _select(params, rows))
    results = list(images)
    for row, result in zip(rows.tolist(), part, strict=True):
        results[row] = result
    return stack_images(results)


def _to_device_of(images: Images, params: Params) -> Params:
    device = images[0].device if len(images) else torch.device("cpu")
    if device.type == "cpu":
        return params
    return {name: to_device(values, device) for name, values in params.items()}


def _select(params: Params, rows: Tensor) -> Params:
    return {name: values[to_device(rows, values.device)] for name, values in params.items()}


def _group_by_shape(images: Sequence[Tensor]) -> list[list[int]]:
    rows: dict[torch.Size, list[int]] = {}
    for row, image in enumerate(images):
        rows.setdefault(image.shape, []).append(row)
    return list(rows.values())
