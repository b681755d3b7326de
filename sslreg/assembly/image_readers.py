"""The readers of a spec's images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from sslreg.assembly.builder import Builder
from sslreg.contracts import ImageLike
from sslreg.errors import UserError
from sslreg.images import NamedReader, Readers, load_image
from sslreg.spec import Spec

#: A function from an image, or from the error in its place, to a tensor (C, H, W).
ImageLoader = Callable[[ImageLike | UserError], Tensor]


def build_readers(spec: Spec) -> Readers:
    """Return the installed readers; those that the spec names under ``data.readers`` settle ties."""
    builder = Builder(spec)
    preferred = [NamedReader(component.info, builder.build(component)) for component in spec.data.readers]
    return Readers(preferred, spec.data.max_pixels)


def build_image_loader(spec: Spec) -> ImageLoader:
    """Return `load_image` with the number of channels and the readers of a spec."""
    return partial(load_image, channels=spec.data.channels, readers=build_readers(spec))
