"""The formats of Pillow."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Annotated

from PIL import Image, ImageFile
from pydantic import Field

import sslreg
from sslreg_readers._frames import choose_frames
from sslreg_readers._pillow_images import open_by_pillow
from sslreg_readers.jpeg import SIGNATURE as JPEG_SIGNATURE
from sslreg_readers.tiff import SIGNATURES as TIFF_SIGNATURES

#: Formats whose further frames are no images: layers, of which the first frame is the composition.
_LAYERED = ("PSD",)

#: Formats that have separate readers, and their first bytes.
_READ_BY_OTHERS = {"JPEG", "TIFF"}
_SIGNATURES_OF_OTHERS = (JPEG_SIGNATURE, *TIFF_SIGNATURES)


class Pillow(sslreg.Reader):
    """Images in any format that Pillow decodes, except JPEG and TIFF, which have separate readers.

    Pillow knows up to 8 bits per channel, and 16 bits of gray. It keeps the upper 8 of the 16 bits of a color. ICC
    profiles are ignored.

    Args:
        frames: The frame to read, from 0. Without a choice, animations are refused.
    """

    def __init__(self, frames: Annotated[int, Field(ge=0)] | None = None) -> None:
        self.frames = frames

    @property
    def extensions(self) -> frozenset[str]:
        return _extensions()

    def matches(self, name: str, head: bytes) -> bool:
        if head.startswith(_SIGNATURES_OF_OTHERS):
            return False
        # As in Image.open, the less common formats are imported only if none of the common ones matches.
        Image.preinit()
        if any(_has_signature(format_name, head) for format_name in _decodable(Image.ID)):
            return True
        Image.init()
        return any(
            _has_signature(format_name, head) or _has_header(format_name, head, name)
            for format_name in _decodable(Image.ID)
        )

    def read(self, source: sslreg.Source) -> sslreg.Pixels:
        with open_by_pillow(source) as image:
            count = 1 if image.format in _LAYERED else getattr(image, "n_frames", 1)
            (number,) = choose_frames(count, self.frames, reader="pillow", name="frames", can_stack=False)
            if number:
                image.seek(number)
            return sslreg.pixels_from_pil(image)


@cache
def _extensions() -> frozenset[str]:
    by_extension = Image.registered_extensions()
    formats = set(_decodable(by_extension.values())) - _READ_BY_OTHERS
    return frozenset(extension for extension, format_name in by_extension.items() if format_name in formats)


def _decodable(format_names: Iterable[str]) -> Iterator[str]:
    """Yield the formats whose pixels Pillow itself decodes."""
    for format_name in format_names:
        if format_name in Image.OPEN and format_name != "MPEG":  # of an MPEG, Pillow reads no more than the size
            factory = Image.OPEN[format_name][0]
            if not (isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile)):
                yield format_name


def _has_signature(format_name: str, head: bytes) -> bool:
    accept = Image.OPEN[format_name][1]
    try:
        found = accept is not None and accept(head[:16])
    except Exception:  # noqa: BLE001 - a head that is too short for the test
        return False
    # Text says that Pillow was built without the format.
    return bool(found) and not isinstance(found, str)


def _has_header(format_name: str, head: bytes, name: str) -> bool:
    """Return whether the image is of a format without a signature, judged by its extension or by its header."""
    factory, accept = Image.OPEN[format_name]
    if accept is not None:
        return False
    if Image.EXTENSION.get(os.path.splitext(name)[1].lower()) == format_name:
        return True
    try:
        with factory(io.BytesIO(head), ""):
            return True
    except Exception:  # noqa: BLE001 - Pillow raises anything at a header of another format
        return False
