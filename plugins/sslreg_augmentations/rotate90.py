"""A random number of quarter turns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import sslreg


class Rotate90(sslreg.Augmentation):
    """Rotates counterclockwise by 0, 90, 180 or 270 degrees, with equal probability and without interpolation.

    Use it for images without an upright orientation, like those of satellites and microscopes.
    Params: turns, int64 (N,), 0 to 3.
    """

    ragged = True
    geometry = True
    params_on_host = True

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"turns": keys.integers(0, 4)}

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        turns = params["turns"].tolist()
        return [image.rot90(turn, (1, 2)) for image, turn in zip(images, turns, strict=True)]

    @classmethod
    def aspects(cls, shape: tuple[int, int, int]) -> Sequence[str]:
        """Return nothing for images that are not square, whose shape it would change."""
        return [""] if shape[1] == shape[2] else []

    def output_shapes(self, shapes: Tensor, params: sslreg.Params) -> Tensor:
        return torch.where(params["turns"][:, None] % 2 == 1, shapes[:, [0, 2, 1]], shapes)
