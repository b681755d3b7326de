"""Several augmentations in random order."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

import sslreg
from sslreg_augmentations._container import Container


class RandomOrder(Container):
    """Applies all of several augmentations, in random order for each sample.

    Params: order, int64 (N, number of augmentations); the draws of each of them, see `Container`.

    Args:
        augment: the augmentations.
    """

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        order = keys.permutation(len(self.augment))
        params: sslreg.Params = {"order": order}
        for number, mask in _iterate_steps(order):
            if not mask.any():
                continue
            # The other samples come in another step: they borrow a shape here, and their draws are discarded.
            own = self.draw_one(number, keys, shapes.where(mask[:, None], shapes[mask][0]))
            for name, values in own.items():
                kept = params.get(name, values)
                params[name] = values.where(mask.reshape(-1, *[1] * (values.ndim - 1)), kept)
            shapes = self.shapes_after(number, mask, shapes, own)
        return params

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        for number, mask in _iterate_steps(params["order"]):
            images = self.apply_one(number, mask, images, params)
        return images

    def output_shapes(self, shapes: Tensor, params: sslreg.Params) -> Tensor:
        for number, mask in _iterate_steps(params["order"]):
            shapes = self.shapes_after(number, mask, shapes, params)
        return shapes


def _iterate_steps(order: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield each augmentation and the mask, bool (N,), of the samples that it is applied to, step by step."""
    for chosen in order.unbind(1):
        for number in range(order.shape[1]):
            yield number, chosen == number
