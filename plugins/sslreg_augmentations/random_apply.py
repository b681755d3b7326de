"""Several augmentations that are applied together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations._container import Container


class RandomApply(Container):
    """Applies several augmentations in order; ``p`` in a spec is the probability that all of them are applied.

    Params: the draws of each of them, see `Container`.

    Args:
        augment: the augmentations.
    """

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        params: sslreg.Params = {}
        for number in range(len(self.augment)):
            own = self.draw_one(number, keys, shapes)
            shapes = self.shapes_after(number, _every_row(shapes), shapes, own)
            params |= own
        return params

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        mask = torch.ones(len(images), dtype=torch.bool)
        for number in range(len(self.augment)):
            images = self.apply_one(number, mask, images, params)
        return images

    def output_shapes(self, shapes: Tensor, params: sslreg.Params) -> Tensor:
        for number in range(len(self.augment)):
            shapes = self.shapes_after(number, _every_row(shapes), shapes, params)
        return shapes

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        return [replacement for one in self.augment for replacement in one.for_embedding()]


def _every_row(shapes: Tensor) -> Tensor:
    return torch.ones(len(shapes), dtype=torch.bool)
