"""The base class of augmentations that contain others."""

from __future__ import annotations

from torch import Tensor

import sslreg
from sslreg_augmentations._nested_params import nest, unnest


class Container(sslreg.Augmentation):
    """An augmentation that contains others; the params of number i have the prefix ``i.``."""

    ragged = True
    params_on_host = True

    def __init__(self, augment: list[sslreg.Augmentation]) -> None:
        if not augment:
            raise ValueError("augment is empty; list at least one augmentation")
        self.augment = augment
        self.geometry = all(one.geometry for one in augment)
        self.host_only = any(one.host_only for one in augment)

    def draw_one(self, number: int, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        """Draw one of the augmentations, and return its params with its prefix."""
        return nest(number, self.augment[number].draw(keys.child(str(number)), shapes))

    def apply_one(self, number: int, mask: Tensor, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        """Apply one of the augmentations to the images for which the mask, bool (N,), is true."""
        return sslreg.apply_where(mask, self.augment[number], images, unnest(number, params))

    def shapes_after(self, number: int, mask: Tensor, shapes: Tensor, params: sslreg.Params) -> Tensor:
        """Return the shapes (N, 3) after `apply_one`."""
        changed = self.augment[number].output_shapes(shapes, unnest(number, params))
        return changed.where(mask[:, None], shapes)
