"""Flips that exchange left and right."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

import sslreg


class HorizontalFlip(sslreg.Augmentation):
    """Exchanges left and right of every image; ``p`` in a spec is the probability."""

    geometry = True

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images.flip(-1)

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        return [self]
