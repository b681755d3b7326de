"""Random changes of brightness, contrast, saturation and hue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations import _opcodes
from sslreg_augmentations._arguments import interval_around
from sslreg_augmentations._color import blend, luma, mean_per_image, shift_hue
from sslreg_augmentations._fused_photometric import Photometric, Program

#: The changes, in torchvision's numbering.
CHANGES = ("brightness", "contrast", "saturation", "hue")

_CODES = {name: getattr(_opcodes, name.upper()) for name in CHANGES}
_NEUTRAL = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}


class ColorJitter(Photometric):
    """Changes brightness, contrast, saturation and hue, in random order for every sample.

    The result of each change is clamped to [0, 1]. Saturation and hue leave gray images unchanged and raise an error
    for channels other than 1 and 3; the contrast of such images is about the mean over all channels.
    Params: order, int64 (N, 4), of numbers in `CHANGES`; for each change that is used, its factor (N,).

    Args:
        brightness: the range of the factor; one number s is [1 - s, 1 + s], cut at zero.
        contrast: the range of the factor, likewise.
        saturation: the range of the factor, likewise.
        hue: the range of the shift, in turns of the color wheel, within [-0.5, 0.5]; one number h is [-h, h].
    """

    def __init__(
        self,
        brightness: float | tuple[float, float] = 0.0,
        contrast: float | tuple[float, float] = 0.0,
        saturation: float | tuple[float, float] = 0.0,
        hue: float | tuple[float, float] = 0.0,
    ) -> None:
        ranges = {
            "brightness": interval_around("brightness", brightness, center=1.0, lowest=0.0),
            "contrast": interval_around("contrast", contrast, center=1.0, lowest=0.0),
            "saturation": interval_around("saturation", saturation, center=1.0, lowest=0.0),
            "hue": interval_around("hue", hue, lowest=-0.5, highest=0.5),
        }
        self.ranges = {name: bounds for name, bounds in ranges.items() if bounds != (_NEUTRAL[name],) * 2}

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        strange = set(shapes[:, 0].tolist()) - {1, 3}
        if strange and (of_color := self.ranges.keys() & {"saturation", "hue"}):
            raise ValueError(
                f"{' and '.join(sorted(of_color))} need RGB, and there are images of {max(strange)} channels; "
                "brightness and contrast take any number"
            )
        # Draw all of them, so that using one does not change the draws of the others.
        factors = {name: keys.uniform(*self.ranges.get(name, (1.0, 1.0))) for name in CHANGES}
        return {"order": keys.permutation(len(CHANGES)), **{name: factors[name] for name in self.ranges}}

    def change(self, images: Tensor, params: sslreg.Params) -> Tensor:
        images = images.clone()
        for position in range(len(CHANGES)):
            for name in self.ranges:
                rows = (params["order"][:, position] == CHANGES.index(name)).nonzero().squeeze(1)
                if len(rows):
                    factors, rows = params[name][rows, None, None, None].to(images), rows.to(images.device)
                    images[rows] = change_levels(name, images[rows], factors)
        return images

    @classmethod
    def aspects(cls, shape: tuple[int, int, int]) -> Sequence[str]:
        """Return the changes; saturation and hue only for RGB."""
        return CHANGES if shape[0] == 3 else CHANGES[:2]

    @classmethod
    def at_strength(cls, strengths: Mapping[str, float], shape: tuple[int, int, int]) -> Mapping[str, Any]:
        """At 1: factors from 0 to 2, any hue."""
        return {name: strength * (0.5 if name == "hue" else 1.0) for name, strength in strengths.items()}

    def instructions(self, params: sslreg.Params, count: int) -> Program:
        codes = torch.tensor([_CODES[name] if name in self.ranges else _opcodes.NO_OP for name in CHANGES])
        factors = torch.stack([params.get(name, torch.zeros(count)) for name in CHANGES], dim=1)
        return codes[params["order"]], factors.gather(1, params["order"])


def change_levels(name: str, images: Tensor, factor: Tensor) -> Tensor:
    """Return images after one of `CHANGES`; factor is (N, 1, 1, 1)."""
    gray = images.shape[1] == 1
    match name:
        case "brightness":
            return (images * factor).clamp_(0.0, 1.0)
        case "contrast":
            return blend(images, mean_per_image(luma(images) if images.shape[1] == 3 else images), factor)
        case "saturation":
            return images if gray else blend(images, luma(images), factor)
        case "hue":
            return images if gray else shift_hue(images, factor)
    raise ValueError(f"no change is called {name!r}")
