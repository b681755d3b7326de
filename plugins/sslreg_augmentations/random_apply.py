"""Several augmentations that act together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations._container import Container


class RandomApply(Container):
    """Applies several augmentations in order; ``p`` in a spec says how often they act, all together.

    Params: what each of them drew, see `Container`.
    """

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        params: sslreg.Params = {}
        for number in range(len(self.augment)):
            drawn = self.draw_one(number, keys, shapes)
            shapes = self.shapes_after(number, _all(shapes), shapes, drawn)
            params |= drawn
        return params

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        everywhere = torch.ones(len(images), dtype=torch.bool)
        for number in range(len(self.augment)):
            images = self.apply_one(number, everywhere, images, params)
        return images

    def output_shapes(self, shapes: Tensor, params: sslreg.Params) -> Tensor:
        for number in range(len(self.augment)):
            shapes = self.shapes_after(number, _all(shapes), shapes, params)
        return shapes

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        return [stand_in for one in self.augment for stand_in in one.for_embedding()]


def _all(shapes: Tensor) -> Tensor:
    return torch.ones(len(shapes), dtype=torch.bool)
