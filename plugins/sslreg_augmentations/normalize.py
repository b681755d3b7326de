"""Normalization by the mean and standard deviation of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations._fused_photometric import Photometric, Program, repeat_instruction
from sslreg_augmentations._opcodes import NORMALIZE

#: Mean and standard deviation of the channels of well-known data sets, on the scale of [0, 1].
STATISTICS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "mnist": ((0.1307,), (0.3081,)),
    "half": ((0.5,), (0.5,)),
}


class Normalize(Photometric):
    """Subtracts the mean of each channel and divides by its standard deviation. It does not clamp.

    Args:
        stats: the name of known statistics; ``half`` is mean and standard deviation 0.5, for any number of channels.
        mean: instead of stats, one number for each channel or one for all.
        std: instead of stats, one number for each channel or one for all.
    """

    leaves_range = True

    def __init__(
        self,
        stats: Literal["imagenet", "cifar10", "cifar100", "mnist", "half"] | None = None,
        mean: float | tuple[float, ...] | None = None,
        std: float | tuple[float, ...] | None = None,
    ) -> None:
        if stats is not None and mean is None and std is None:
            self.mean, self.std = STATISTICS[stats]
        elif stats is None and mean is not None and std is not None:
            self.mean, self.std = _numbers(mean), _numbers(std)
        else:
            raise ValueError("give either stats, or both mean and std")
        if len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} numbers, and std has {len(self.std)}")
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} must be above zero")

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        strange = set(shapes[:, 0].tolist()) - {len(self.mean)}
        if len(self.mean) > 1 and strange:
            raise ValueError(
                f"the statistics are of {len(self.mean)} channels, and there are images of {max(strange)}; "
                "give mean and std of as many numbers, or stats: half"
            )
        return {}

    def change(self, images: Tensor, params: sslreg.Params) -> Tensor:
        mean, std = (torch.tensor(values, device=images.device)[:, None, None] for values in (self.mean, self.std))
        return (images - mean) / std

    def instructions(self, params: sslreg.Params, count: int) -> Program:
        return repeat_instruction(NORMALIZE, 0.0, count)

    def statistics(self) -> tuple[Sequence[float], Sequence[float]]:
        return self.mean, self.std

    def for_embedding(self) -> Sequence[sslreg.Augmentation]:
        return [self]


def _numbers(values: float | Sequence[float]) -> tuple[float, ...]:
    return (float(values),) if isinstance(values, int | float) else tuple(map(float, values))
