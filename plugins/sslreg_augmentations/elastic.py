"""Elastic distortion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations._gaussian_filter import gaussian_filter
from sslreg_augmentations._resampling import pixel_centers, sample_at


class Elastic(sslreg.Augmentation):
    """Displaces every pixel smoothly and randomly (Simard, Steinkraus, Platt: Best practices, ICDAR 2003).

    The displacement is uniform noise in [-1, 1), smoothed by a Gaussian, times alpha / 2 pixels. It equals
    torchvision's ElasticTransform on the same noise.
    Params: seed of the noise, int64 (N,).

    Args:
        alpha: the strength; one number, or one along x and one along y.
        sigma: the standard deviation of the Gaussian, in pixels; one number, or one along x and one along y.
        interpolation: how to read between pixels.
        fill: the level outside of the image, in [0, 1].
    """

    geometry = True

    def __init__(
        self,
        alpha: float | tuple[float, float] = 50.0,
        sigma: float | tuple[float, float] = 5.0,
        interpolation: Literal["nearest", "bilinear"] = "bilinear",
        fill: float = 0.0,
    ) -> None:
        self.alpha = _pair("alpha", alpha)
        self.sigma = _pair("sigma", sigma)
        self.interpolation = interpolation
        self.fill = fill

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"seed": keys.seeds()}

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        height, width = images.shape[2:]
        noise = 2.0 * sslreg.noise_like(params["seed"], (2, height, width), images.device) - 1.0
        y, x = pixel_centers(height, width, images.device)
        x_shift, y_shift = (self._displacement(noise, axis) for axis in (0, 1))
        return sample_at(images, y + y_shift, x + x_shift, self.interpolation, self.fill)

    @classmethod
    def at_strength(cls, strengths: Mapping[str, float], shape: tuple[int, int, int]) -> Mapping[str, Any]:
        """At 1 the root mean square displacement along an axis is 1/24 of the shorter side; sigma is 1/12 of it."""
        side = min(shape[1:])
        sigma = side / 12
        # Noise of variance 1/3, smoothed by a Gaussian in two dimensions, has variance 1/3 / (4 pi sigma²).
        deviation = 1.0 / math.sqrt(12.0 * math.pi * sigma**2)
        return {"alpha": 2.0 * strengths[""] * side / 24 / deviation, "sigma": sigma}

    def _displacement(self, noise: Tensor, axis: int) -> Tensor:
        """Return the displacement in pixels (N, H, W) along x (axis 0) or y (axis 1)."""
        # The radius of torchvision's kernel, the same in both directions, follows the sigma of the displacement's axis.
        radius = int(8 * self.sigma[axis] + 1) // 2
        sigma = torch.tensor(self.sigma[::-1]).expand(len(noise), 2)
        field = gaussian_filter(noise[:, axis : axis + 1], sigma, torch.full_like(sigma, radius), radius)
        return field[:, 0] * (self.alpha[axis] / 2)


def _pair(name: str, value: float | tuple[float, float]) -> tuple[float, float]:
    x, y = (value, value) if isinstance(value, int | float) else value
    if x <= 0 or y <= 0:
        raise ValueError(f"{name} {value} must be above zero")
    return float(x), float(y)
