"""Rotation, translation, scale and shear about the image's center."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations._arguments import around, interval
from sslreg_augmentations._resampling import pixel_centers, sample_at


class Affine(sslreg.Augmentation):
    """A random affine map about the image's center, as torchvision's RandomAffine draws it.

    degrees: the range of rotation, clockwise; one number d is -d to d. translate: the largest shift, as a share of
    (width, height). scale: the range of scale. shear: degrees, along x: one number s is -s to s, two are the range;
    with four, the last two are the range along y. fill: the level outside of the image, in [0, 1].
    Params: angle and scale (N,); translate (N, 2), in pixels along x and y; shear (N, 2), in degrees.
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
        self.degrees = around("degrees", degrees)
        self.translate = translate or (0.0, 0.0)
        if not all(0.0 <= share <= 1.0 for share in self.translate):
            raise ValueError(f"translate {self.translate} is a share of the image, and has to be in [0, 1]")
        self.scale = interval("scale", scale or (1.0, 1.0), lowest=0.0)
        if not self.scale[0]:
            raise ValueError("scale has to be above zero")
        four: Sequence[float] = shear if isinstance(shear, Sequence) and len(shear) == 4 else ()
        self.shear = (
            (interval("shear", four[:2]) if four else around("shear", shear or 0.0)),
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
    def at_strength(cls, strength: float, shape: tuple[int, int, int]) -> Mapping[str, sslreg.Augmentation]:
        """At 1: turned by up to 180°, moved by up to half an image, scaled by 1/2 to 2, sheared by up to 45°."""
        smooth: Literal["bilinear"] = "bilinear"
        return {
            "rotation": cls(180.0 * strength, interpolation=smooth),
            "translation": cls(0.0, translate=(0.5 * strength, 0.5 * strength), interpolation=smooth),
            "scale": cls(0.0, scale=(1.0 / (1.0 + strength), 1.0 + strength), interpolation=smooth),
            "shear": cls(0.0, shear=45.0 * strength, interpolation=smooth),
        }

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        height, width = images.shape[2:]
        y, x = pixel_centers(height, width, images.device)
        # In double precision, which not all devices have.
        inverse = _inverse(params).to(images)[..., None, None]
        source_x = inverse[:, 0, 0] * x + inverse[:, 0, 1] * y + inverse[:, 0, 2]
        source_y = inverse[:, 1, 0] * x + inverse[:, 1, 1] * y + inverse[:, 1, 2]
        return sample_at(images, source_y, source_x, self.interpolation, self.fill)


def _inverse(params: sslreg.Params) -> Tensor:
    """Where (N, 2, 3), float64, a pixel (x, y, 1) of the result comes from, in pixels from the center.

    The map is scale · rotation · shear along y · shear along x, then the shift.
    """
    turn, shear = params["angle"].double().deg2rad(), params["shear"].double().deg2rad()
    tan_x, cos_y = shear[:, 0].tan(), shear[:, 1].cos()
    a = (turn - shear[:, 1]).cos() / cos_y
    b = -(a * tan_x + turn.sin())
    c = (turn - shear[:, 1]).sin() / cos_y
    d = turn.cos() - c * tan_x
    # The linear part's determinant is scale², since rotations and shears keep areas.
    linear = torch.stack((d, -b, -c, a), dim=1).reshape(-1, 2, 2) / params["scale"].double()[:, None, None]
    return torch.cat((linear, -(linear @ params["translate"].double()[:, :, None])), dim=2)
