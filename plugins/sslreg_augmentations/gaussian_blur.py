"""Gaussian blur."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations._arguments import interval
from sslreg_augmentations._fused_photometric import REACH, Photometric, Program
from sslreg_augmentations._gaussian_filter import gaussian_filter
from sslreg_augmentations._opcodes import BLUR


class GaussianBlur(Photometric):
    """Blurs with a Gaussian of random width.

    The kernel reaches ceil(3 · sigma) pixels to each side, which covers 99.7% of a Gaussian, and at most the side of
    the image minus one; the border is reflected. It equals torchvision's gaussian_blur with that kernel size.
    Params: sigma (N,).

    Args:
        sigma: the standard deviation in pixels, or the range from which it is drawn uniformly.
    """

    def __init__(self, sigma: float | tuple[float, float] = (0.1, 2.0)) -> None:
        self.sigma = interval("sigma", sigma, lowest=0.0)
        if not self.sigma[0]:
            raise ValueError("sigma must be above zero")

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"sigma": keys.uniform(*self.sigma)}

    @classmethod
    def at_strength(cls, strengths: Mapping[str, float], shape: tuple[int, int, int]) -> Mapping[str, Any]:
        """At 1 sigma is at most a tenth of the shorter side: 22 pixels of 224."""
        largest = strengths[""] * min(shape[1:]) / 10
        return {"sigma": [largest / 100, largest]}

    def change(self, images: Tensor, params: sslreg.Params) -> Tensor:
        sigma = params["sigma"][:, None].expand(-1, 2)
        return gaussian_filter(images, sigma, (REACH * sigma).ceil(), math.ceil(REACH * self.sigma[1]))

    def instructions(self, params: sslreg.Params, count: int) -> Program:
        return torch.full((count, 1), BLUR), params["sigma"][:, None]
