"""Additive Gaussian noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

import sslreg


class GaussianNoise(sslreg.Augmentation):
    """Adds Gaussian noise of mean 0 to each level, and clamps.

    Params: seed of the noise, int64 (N,).

    Args:
        std: the standard deviation of the noise, for levels in [0, 1].
    """

    def __init__(self, std: Annotated[float, Field(ge=0)] = 0.1) -> None:
        self.std = std

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"seed": keys.seeds()}

    @classmethod
    def at_strength(cls, strengths: Mapping[str, float], shape: tuple[int, int, int]) -> Mapping[str, Any]:
        """At 1 the noise has a standard deviation of 0.4, at a quarter the default."""
        return {"std": 0.4 * strengths.get("", 0.0)}

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        noise = sslreg.noise_like(params["seed"], images.shape[1:], images.device, "normal")
        return (images + self.std * noise).clamp_(0.0, 1.0)
