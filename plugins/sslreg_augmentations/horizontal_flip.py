"""Left and right exchanged."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

import sslreg


class HorizontalFlip(sslreg.Augmentation):
    """Mirrors every image; how often is said by ``p`` in a spec."""

    geometry = True

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images.flip(-1)

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        return [self]
