"""Top and bottom exchanged."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

import sslreg


class VerticalFlip(sslreg.Augmentation):
    """Mirrors every image; how often is said by ``p`` in a spec."""

    geometry = True

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images.flip(-2)

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        return [self]
