"""A random part of the image, resized to a fixed size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

import sslreg
from sslreg_augmentations import _kernel_dispatch
from sslreg_augmentations._arguments import height_and_width, interval
from sslreg_augmentations._fused_crop import FusedCrop
from sslreg_augmentations._nested_params import nest
from sslreg_augmentations._resampling import Interpolation
from sslreg_augmentations.center_crop import CenterCrop
from sslreg_augmentations.resize import Resize

_ATTEMPTS = 10

#: The pixels of the part, along each side, for one of the result, that a reduced image keeps at least.
_OVERSAMPLING = 2

#: The side, in pixels, from which images count as photographs with a margin around their subject.
_PHOTOGRAPH = 96


class RandomResizedCrop(sslreg.Augmentation):
    """Crops a random part and resizes it (Szegedy et al., Going deeper with convolutions, arXiv 1409.4842, section 6).

    If none of ten draws fits into the image, it takes the largest centered part of an allowed ratio.
    Params: top, left, height, width of the part, int64 (N,), in pixels.

    Args:
        size: of the result, (height, width) or one number for both.
        scale: the range of the part's share of the image's area, drawn uniformly.
        ratio: the range of the part's width by its height, drawn uniformly in the logarithm.
        interpolation: how to resize.
    """

    ragged = True
    geometry = True
    takes_uint8 = True
    params_on_host = True

    def __init__(
        self,
        size: int | tuple[int, int],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: Interpolation = "bilinear",
    ) -> None:
        self.size = height_and_width(size)
        self.scale = interval("scale", scale, lowest=0.0)
        self.ratio = interval("ratio", ratio, lowest=0.0)
        if not self.scale[0] or not self.ratio[0]:
            raise ValueError("scale and ratio must be above zero")
        self.interpolation = interpolation

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        sizes = shapes[:, 1:]
        share = keys.uniform(*self.scale, (_ATTEMPTS,)).double().numpy()
        log_ratio = keys.uniform(math.log(self.ratio[0]), math.log(self.ratio[1]), (_ATTEMPTS,)).double().numpy()
        # NumPy takes half the time of torch for so few numbers.
        full_height, full_width = sizes.numpy().T[..., None]
        side, root = np.sqrt(share * (full_height * full_width)), np.exp(0.5 * log_ratio)
        heights, widths = np.rint(side / root), np.rint(side * root)
        fits = (heights > 0) & (widths > 0) & (heights <= full_height) & (widths <= full_width)
        first = np.arange(len(fits)), fits.argmax(axis=1)
        parts, fitting = torch.from_numpy(np.stack((heights[first], widths[first]), axis=1)).long(), fits[first]
        if not fitting.all():
            parts[~fitting] = self._largest(*sizes[~fitting].unbind(1))
        spare = sizes - parts
        corners = torch.stack([keys.integers(0, one + 1) for one in spare.unbind(1)], dim=1)
        if not fitting.all():
            corners[~fitting] = spare[~fitting] // 2
        return dict(zip(("top", "left", "height", "width"), torch.cat((corners, parts), dim=1).unbind(1), strict=True))

    def _largest(self, full_height: Tensor, full_width: Tensor) -> Tensor:
        """Return height and width (N, 2) of the largest part of an allowed ratio."""
        height = torch.minimum(full_height, (full_width / self.ratio[0]).round().long())
        width = torch.minimum(full_width, (full_height * self.ratio[1]).round().long())
        return torch.stack((height, width), dim=1)

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        return FusedCrop(self.size, self.interpolation).apply(images, nest(0, params))

    def fuse_with(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        return FusedCrop(self.size, self.interpolation).fuse_with(following)

    def output_shapes(self, shapes: Tensor, params: sslreg.Params) -> Tensor:
        return torch.cat((shapes[:, :1], torch.tensor([self.size]).expand(len(shapes), 2)), dim=1)

    def decoding_request(self, params: sslreg.Params, sizes: Tensor) -> sslreg.DecodingRequest | None:
        """Request the crop at twice the height and width of the result: resizing removes what is beyond that."""
        if self.interpolation != "bilinear" or not _kernel_dispatch.can_compile():
            return None
        boxes = torch.stack([params[name] for name in ("top", "left", "height", "width")], dim=1)
        min_sizes = -(-_OVERSAMPLING * torch.tensor(self.size) * sizes // boxes[:, 2:])
        return sslreg.DecodingRequest(min_sizes, boxes, partial(_rescale, params))

    @classmethod
    def at_strength(cls, strengths: Mapping[str, float], shape: tuple[int, int, int]) -> Mapping[str, Any]:
        """At 1 the default scale and ratio; at a strength s a share of the area of 1 - 0.92 · s or more."""
        strength = strengths[""]
        low, high = 1.0 - 0.92 * strength, 4 / 3
        return {"size": list(shape[1:]), "scale": [low, 1.0], "ratio": [high**-strength, high**strength]}

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        """Return a resize and a center crop: all of the shorter side, or 7/8 of it for photographs (256 to 224)."""
        height, width = self.size
        if height != width:
            return [Resize(self.size, self.interpolation)]
        side = height * 8 // 7 if height >= _PHOTOGRAPH else height
        return [Resize(side, self.interpolation), CenterCrop(height)]


def _rescale(params: sslreg.Params, reductions: Tensor, origins: Tensor) -> sslreg.Params:
    """Return the params for images that were reduced, and that begin at `origins`."""
    reduced = {name: values / reductions for name, values in params.items()}
    return reduced | {"top": reduced["top"] - origins[:, 0], "left": reduced["left"] - origins[:, 1]}
