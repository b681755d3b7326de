"""Segmentation masks as targets: a class number for each pixel of an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor

from sslreg.errors import UserError, type_name

#: The value of pixels that have no class.
IGNORED_PIXEL = 255

#: A mask (H, W) of class numbers of any integer type, or a function without arguments that returns it. With a function,
#: a mask is read only if it is used: training does not use masks.
SegmentationMask = Tensor | np.ndarray[Any, Any] | Callable[[], Tensor | np.ndarray[Any, Any]]


def is_segmentation_mask(target: object) -> TypeGuard[SegmentationMask]:
    """Return whether a target is a mask, rather than a class number."""
    return callable(target) or (isinstance(target, Tensor | np.ndarray) and target.ndim == 2)


def load_segmentation_mask(mask: SegmentationMask) -> Tensor:
    """Return a mask (H, W) of class numbers from 0 as uint8 or int64; 255 marks ignored pixels.

    Raises:
        UserError: the mask cannot be read, is not (H, W), or has values that are not class numbers.
    """
    values = mask() if callable(mask) else mask
    if not isinstance(values, Tensor | np.ndarray) or values.ndim != 2:
        shape = tuple(values.shape) if isinstance(values, Tensor | np.ndarray) else None
        raise UserError(
            f"a segmentation mask is {f'of shape {shape}' if shape is not None else f'a {type_name(values)}'}",
            hint="a mask is a tensor or an array (H, W) of class numbers",
            code="sample",
        )
    # torch has no operations for uint16.
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(_to_known_type(values))
    if tensor.is_floating_point() or tensor.is_complex():
        raise UserError(
            f"a segmentation mask has values of {tensor.dtype}", hint="class numbers are integers", code="sample"
        )
    tensor = tensor if tensor.dtype == torch.uint8 else tensor.to(torch.int64)
    if tensor.numel() and int(tensor.min()) < 0:
        raise UserError(
            f"a segmentation mask has the value {int(tensor.min())}",
            hint=f"classes are numbers from 0, and {IGNORED_PIXEL} marks ignored pixels",
            code="sample",
        )
    return tensor


def _to_known_type(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an array in a type and a byte order that torch knows."""
    is_integer = values.dtype.kind in "iub" and values.dtype != np.uint8
    return np.ascontiguousarray(values.astype(np.int64) if is_integer else values)
