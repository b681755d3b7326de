"""Color replaced by luma."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

import sslreg
from sslreg_augmentations._color import luma
from sslreg_augmentations._fused_photometric import Photometric, Program, repeat_instruction
from sslreg_augmentations._opcodes import GRAY


class Grayscale(Photometric):
    """Replaces red, green and blue by their luma (ITU-R 601-2), in three channels; gray images do not change."""

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        if strange := set(shapes[:, 0].tolist()) - {1, 3}:
            raise ValueError(f"luma is defined for RGB, and there are images of {max(strange)} channels")
        return {}

    @classmethod
    def aspects(cls, shape: tuple[int, int, int]) -> Sequence[str]:
        """Return nothing for images other than RGB, which have no color to replace."""
        return [""] if shape[0] == 3 else []

    def change(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images if images.shape[1] == 1 else luma(images).repeat(1, 3, 1, 1)

    def instructions(self, params: sslreg.Params, count: int) -> Program:
        return repeat_instruction(GRAY, 0.0, count)

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        return [self]
