"""Inversion of bright levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_augmentations._fused_photometric import Photometric, Program, repeat_instruction
from sslreg_augmentations._opcodes import SOLARIZE


class Solarize(Photometric):
    """Inverts the levels that are at or above a threshold.

    Args:
        threshold: in [0, 1].
    """

    def __init__(self, threshold: Annotated[float, Field(ge=0, le=1)] = 0.5) -> None:
        self.threshold = threshold

    @classmethod
    def at_strength(cls, strengths: Mapping[str, float], shape: tuple[int, int, int]) -> Mapping[str, Any]:
        """The threshold is 1 - strength: at 1 every level is inverted."""
        return {"threshold": 1.0 - strengths.get("", 0.0)}

    def change(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return torch.where(images >= self.threshold, 1.0 - images, images)

    def instructions(self, params: sslreg.Params, count: int) -> Program:
        return repeat_instruction(SOLARIZE, self.threshold, count)

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        return [self]
