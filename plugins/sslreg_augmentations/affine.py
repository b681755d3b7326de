"""Rotation, translation, scale and shear about the image's center."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations._arguments import interval, interval_around
from sslreg_augmentations._resampling import pixel_centers, sample_at


class Affine(sslreg.Augmentation):
    """A random affine map about the image's center, as torchvision's RandomAffine draws it.

    Params: angle and scale (N,); translate (N, 2), in pixels along x and y; shear (N, 2), in degrees.

    Args:
        degrees: the range of the rotation, clockwise; one number d is -d to d.
        translate: the largest shift, as a share of (width, height).
        scale: the range of the scale.
        shear: the range of the shear along x, in degrees: one number s is -s to s, two are the range; with four, the
            last two are the range along y.
        interpolation: how to read between pixels.
        fill: the level outside of the image, in [0, 1].
    """

    geometry = True
    params_on_host = True

    def __init__(
        self,
        degrees: float | tuple[float, float],
        translate: tuple[float, float] | None = None,
        scale: tuple[float, float] | None = None,
        shear: float | tuple[float, float] | tuple[float, float, float, float] | None = None,
        interpolation: Literal["nearest", "bilinear"] = "nearest",
        fill: float = 0.0,
    ) -> None:
        self.degrees = interval_around("degrees", degrees)
        self.translate = translate or (0.0, 0.0)
        if not all(0.0 <= share <= 1.0 for share in self.translate):
            raise ValueError(f"translate {self.translate} is a share of the image, and must be in [0, 1]")
        self.scale = interval("scale", scale or (1.0, 1.0), lowest=0.0)
        if not self.scale[0]:
            raise ValueError("scale must be above zero")
        four: Sequence[float] = shear if isinstance(shear, Sequence) and len(shear) == 4 else ()
        self.shear = (
            (interval("shear", four[:2]) if four else interval_around("shear", shear or 0.0)),
            (interval("shear", four[2:]) if four else (0.0, 0.0)),
        )
        self.interpolation = interpolation
        self.fill = fill

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        angle = keys.uniform(*self.degrees)
        shifts = [
            # Whole pixels, as torchvision shifts.
            keys.uniform(-share * sides, share * sides).round()
            for share, sides in zip(self.translate, (shapes[:, 2], shapes[:, 1]), strict=True)
        ]
        return {
            "angle": angle,
            "translate": torch.stack(shifts, dim=1),
            "scale": keys.uniform(*self.scale),
            "shear": torch.stack([keys.uniform(*bounds) for bounds in self.shear], dim=1),
        }

    @classmethod
    def aspects(cls, shape: tuple[int, int, int]) -> Sequence[str]:
        return ("rotation", "translation", "scale", "shear")

    @classmethod
    def at_strength(cls, strengths: Mapping[str, float], shape: tuple[int, int, int]) -> Mapping[str, Any]:
        """At 1: rotation by up to 180°, shifts by up to half an image, scales of 1/2 to 2, shear by up to 45°."""
        arguments: dict[str, Any] = {"degrees": 180.0 * strengths.get("rotation", 0.0), "interpolation": "bilinear"}
        if shift := strengths.get("translation"):
            arguments["translate"] = [0.5 * shift, 0.5 * shift]
        if scale := strengths.get("scale"):
            arguments["scale"] = [1.0 / (1.0 + scale), 1.0 + scale]
        if shear := strengths.get("shear"):
            arguments["shear"] = 45.0 * shear
        return arguments

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        height, width = images.shape[2:]
        y, x = pixel_centers(height, width, images.device)
        # On the host, in double precision, which not all devices support.
        inverse = _inverse(params).to(images)[..., None, None]
        source_x = inverse[:, 0, 0] * x + inverse[:, 0, 1] * y + inverse[:, 0, 2]
        source_y = inverse[:, 1, 0] * x + inverse[:, 1, 1] * y + inverse[:, 1, 2]
        return sample_at(images, source_y, source_x, self.interpolation, self.fill)


def _inverse(params: sslreg.Params) -> Tensor:
    """Return the map (N, 2, 3), float64, from a pixel (x, y, 1) of the result to its source, from the center.

    The forward map is scale · rotation · shear along y · shear along x, then the shift.
    """
    angle, shear = params["angle"].double().deg2rad(), params["shear"].double().deg2rad()
    tan_x, cos_y = shear[:, 0].tan(), shear[:, 1].cos()
    a = (angle - shear[:, 1]).cos() / cos_y
    b = -(a * tan_x + angle.sin())
    c = (angle - shear[:, 1]).sin() / cos_y
    d = angle.cos() - c * tan_x
    # The linear part's determinant is scale², since rotations and shears keep areas.
    linear = torch.stack((d, -b, -c, a), dim=1).reshape(-1, 2, 2) / params["scale"].double()[:, None, None]
    return torch.cat((linear, -(linear @ params["translate"].double()[:, :, None])), dim=2)
