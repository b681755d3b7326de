"""A random choice among augmentations."""

from __future__ import annotations

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations._container import Container


class OneOf(Container):
    """Applies one of several augmentations to each sample, chosen at random.

    Params: choice, int64 (N,), the number of the chosen one; the draws of each of them, see `Container`.

    Args:
        augment: the augmentations.
        weights: the probability of each, up to a common factor; equal if None.
    """

    def __init__(self, augment: list[sslreg.Augmentation], weights: list[float] | None = None) -> None:
        super().__init__(augment)
        self.weights = weights or [1.0] * len(augment)
        if len(self.weights) != len(augment):
            raise ValueError(f"there are {len(self.weights)} weights for {len(augment)} augmentations")
        if min(self.weights) < 0 or not sum(self.weights):
            raise ValueError(f"weights {self.weights} must not be negative, nor all be zero")

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        shares = torch.tensor(self.weights, dtype=torch.float64).cumsum(0) / sum(self.weights)
        params = {"choice": torch.searchsorted(shares[:-1].float(), keys.uniform(), right=True)}
        for number in range(len(self.augment)):
            params |= self.draw_one(number, keys, shapes)
        return params

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        for number in range(len(self.augment)):
            images = self.apply_one(number, params["choice"] == number, images, params)
        return images

    def output_shapes(self, shapes: Tensor, params: sslreg.Params) -> Tensor:
        for number in range(len(self.augment)):
            shapes = self.shapes_after(number, params["choice"] == number, shapes, params)
        return shapes
