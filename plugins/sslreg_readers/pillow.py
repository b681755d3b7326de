"""The formats of Pillow."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from functools import cache

from PIL import Image, ImageFile

import sslreg
from sslreg_readers._pillow_images import open_by_pillow, require_all_bands, require_one_page
from sslreg_readers.jpeg import SIGNATURE as JPEG_SIGNATURE


class Pillow(sslreg.Reader):
    """Images in any format that Pillow decodes, except JPEG, which has a separate reader.

    Pillow knows up to 8 bits per channel, and 16 bits of gray. Files with several pages or frames, and files with bands
    that Pillow would drop, are refused.
    """

    @property
    def extensions(self) -> frozenset[str]:
        return _extensions()

    def matches(self, name: str, head: bytes) -> bool:
        if head.startswith(JPEG_SIGNATURE):
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
            require_one_page(image)
            require_all_bands(image)
            return sslreg.pixels_from_pil(image)


@cache
def _extensions() -> frozenset[str]:
    by_extension = Image.registered_extensions()
    formats = set(_decodable(by_extension.values())) - {"JPEG"}
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
