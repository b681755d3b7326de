"""Flips that exchange top and bottom."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

import sslreg


class VerticalFlip(sslreg.Augmentation):
    """Exchanges top and bottom of every image; ``p`` in a spec is the probability."""

    geometry = True

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images.flip(-2)

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        return [self]
