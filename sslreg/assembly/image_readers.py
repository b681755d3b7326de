"""The readers of a spec's images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import Tensor

from sslreg.assembly.builder import Builder
from sslreg.contracts import ImageLike
from sslreg.errors import UserError
from sslreg.images import NamedReader, Readers, load_image
from sslreg.images.channels import WHITE
from sslreg.images.convert import Background
from sslreg.spec import Spec

#: A function from an image, or from the error in its place, to a tensor (C, H, W).
ImageLoader = Callable[[ImageLike | UserError], Tensor]


def build_readers(spec: Spec, *, training: bool = False) -> Readers:
    """Return the installed readers; those that the spec names under ``data.readers`` settle ties.

    Args:
        spec: The spec.
        training: Whether a random background is drawn for each view. Otherwise it is white, so that the embeddings of
            an image are always the same.
    """
    builder = Builder(spec)
    preferred = [NamedReader(component.info, builder.build(component)) for component in spec.data.readers]
    return Readers(
        preferred,
        spec.data.max_pixels,
        range=spec.data.range,
        background=_parse_background(spec.data.background, training),
    )


def _parse_background(background: str | None, training: bool) -> Background | Literal["random"]:
    match background:
        case None | "keep":
            return background
        case "random":
            return "random" if training else WHITE
    named = {"white": "ffffff", "black": "000000"}.get(background, background.removeprefix("#"))
    red, green, blue = (int(named[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue


def build_image_loader(spec: Spec) -> ImageLoader:
    """Return `load_image` with the number of channels and the readers of a spec."""
    return partial(load_image, channels=spec.data.channels, readers=build_readers(spec))
