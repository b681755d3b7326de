"""The facts of one image: as its reader decodes it, and as a run converts it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import sslreg


@dataclass(frozen=True)
class ImageFacts:
    """What is known of a readable image.

    Attributes:
        name: The name of its sample.
        kind: The extension of its file, or the form in which the data set gives it.
        size: Its height and width.
        channels: Its channels as decoded, without opacity.
        is_gray: Whether all its channels are equal.
        has_alpha: Whether it has an opacity, as decoded.
        is_transparent: Whether any pixel is not opaque.
        depth: The type of its levels, such as ``uint16``.
        full_scale: The levels of black and white, if they are not the ends of the type.
        highest: Its highest level, without opacity.
        mean: The mean of each channel (C,) as a run sees it, in [0, 1].
        square: The mean of the squares of each channel (C,).
        digest: A hash of its levels.
    """

    name: str
    kind: str
    size: tuple[int, int]
    channels: int
    is_gray: bool
    has_alpha: bool
    is_transparent: bool
    depth: str
    full_scale: tuple[float, float] | None
    highest: float
    mean: NDArray[np.float64]
    square: NDArray[np.float64]
    digest: bytes


@dataclass(frozen=True)
class Unreadable:
    """An image that a run cannot read.

    Attributes:
        name: The name of its sample.
        reason: Why.
    """

    name: str
    reason: str


def examine(
    name: str, image: sslreg.ImageLike | sslreg.UserError, readers: sslreg.Readers, channels: int | None = None
) -> ImageFacts | Unreadable:
    """Return the facts of an image.

    Args:
        name: The name of its sample.
        image: The image of a sample, or the error in its place.
        readers: The readers of the run.
        channels: The channels to which a run converts every image; None keeps those of the image.
    """
    try:
        pixels = sslreg.read_pixels(image, readers)
        # Arrays have rules of their own, about the order of their axes.
        seen = sslreg.load_image(image if isinstance(image, Tensor | np.ndarray) else pixels, channels, readers)
    except sslreg.UserError as error:
        return Unreadable(name, error.diagnostics[0].message)
    levels = np.asarray(pixels.levels)
    colors = levels[:-1] if pixels.alpha else levels
    values = seen.flatten(1).double() / (255 if seen.dtype == torch.uint8 else 1)
    return ImageFacts(
        name=name,
        kind=_describe_kind(image),
        size=(levels.shape[1], levels.shape[2]),
        channels=len(colors),
        is_gray=all(np.array_equal(colors[0], other) for other in colors[1:]),
        has_alpha=pixels.alpha,
        is_transparent=pixels.alpha and bool((levels[-1] < _opaque(pixels)).any()),
        depth=levels.dtype.name,
        full_scale=pixels.range,
        highest=float(colors.max()),
        mean=values.mean(dim=1).numpy(),
        square=values.square().mean(dim=1).numpy(),
        digest=_hash(levels),
    )


def _opaque(pixels: sslreg.Pixels) -> float:
    """Return the opacity of opaque pixels."""
    if pixels.range is not None:
        return max(pixels.range)
    dtype = np.asarray(pixels.levels).dtype
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def _describe_kind(image: object) -> str:
    if isinstance(image, str | Path):
        return os.path.splitext(image)[1].lower() or "no extension"
    return "encoded bytes" if isinstance(image, bytes) else type(image).__name__


def _hash(levels: NDArray[Any]) -> bytes:
    header = f"{levels.dtype} {levels.shape}".encode()
    return hashlib.blake2b(header + levels.tobytes(), digest_size=16).digest()
