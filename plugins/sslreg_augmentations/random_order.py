"""Several augmentations in random order."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

import sslreg
from sslreg_augmentations._container import Container


class RandomOrder(Container):
    """Applies several augmentations, all of them, in an order of its own for each sample.

    Params: order, int64 (N, number of them); what each of them drew, see `Container`.
    """

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        order = keys.permutation(len(self.augment))
        params: sslreg.Params = {"order": order}
        for number, mask in _turns(order):
            if not mask.any():
                continue
            # It is not the turn of the other samples: they borrow a shape, and what is drawn for them is not kept.
            drawn = self.draw_one(number, keys, shapes.where(mask[:, None], shapes[mask][0]))
            for name, values in drawn.items():
                kept = params.get(name, values)
                params[name] = values.where(mask.reshape(-1, *[1] * (values.ndim - 1)), kept)
            shapes = self.shapes_after(number, mask, shapes, drawn)
        return params

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        for number, mask in _turns(params["order"]):
            images = self.apply_one(number, mask, images, params)
        return images

    def output_shapes(self, shapes: Tensor, params: sslreg.Params) -> Tensor:
        for number, mask in _turns(params["order"]):
            shapes = self.shapes_after(number, mask, shapes, params)
        return shapes


def _turns(order: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Which augmentation acts on which samples (N,), turn by turn."""
    for turn in order.unbind(1):
        for number in range(order.shape[1]):
            yield number, turn == number
