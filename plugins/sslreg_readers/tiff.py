"""TIFF files with any number of bands and any depth."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from PIL import Image, TiffImagePlugin, UnidentifiedImageError
from pydantic import Field

import sslreg
from sslreg_readers._pillow_images import open_by_pillow
from sslreg_readers._tiff_pages import MASK, REDUCED, read_pages

#: The first bytes of TIFF and BigTIFF files in both byte orders.
SIGNATURES = tuple(TiffImagePlugin.PREFIXES)

#: Tags of TIFF files.
_KIND, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 254, 256, 257, 258, 259
_PHOTOMETRIC, _SAMPLES, _SAMPLE_FORMAT = 262, 277, 339

#: The photometric interpretations that Pillow knows: white is zero, black is zero, RGB, palette, CMYK, YCbCr, CIELAB.
_KNOWN_TO_PILLOW = (0, 1, 2, 3, 5, 6, 8)
_UNSIGNED, _FLOAT = 1, 3

#: A line of the description by ImageJ, which writes no further pages for large stacks.
_DESCRIPTION, _IMAGES_OF_IMAGEJ = 270, "\nimages="

#: The number in the header of BigTIFF.
_BIG = 43
#: A compression that Pillow's libtiff does not have.
_WEBP = 50001


class Tiff(sslreg.Reader):
    """TIFF and BigTIFF files with any number of bands.

    Levels of up to 16 bits and floating-point levels in [0, 1] are used as they are. Signed integers, integers of more
    than 16 bits and other floating-point levels need `data.range` in the spec. The orientation in the file is applied.
    Reduced versions of a page and masks are ignored, so a pyramid is its largest level. ICC profiles are ignored.

    Pages that the file declares as channels (OME-TIFF and ImageJ) are channels.

    Files with one page of up to 8 bits, of RGB with 8 bits, or of gray with 16 bits are read with Pillow. All others
    need the extra ``formats``.

    Args:
        pages: The page to read, from 0, or ``channels`` to read all pages as channels of one image. Without a choice,
            files with several pages are refused.
    """

    extensions = (".tif", ".tiff")

    def __init__(self, pages: Annotated[int, Field(ge=0)] | Literal["channels"] | None = None) -> None:
        self.pages = pages

    def matches(self, name: str, head: bytes) -> bool:
        return head.startswith(SIGNATURES)

    def read(self, source: sslreg.Source) -> sslreg.Pixels:
        image = _try_pillow(source)
        if image is not None and not self.pages:
            with image:
                if _is_read_completely(image):
                    return sslreg.pixels_from_pil(image)
        return read_pages(source, self.pages, _describe(source.data))


def _try_pillow(source: sslreg.Source) -> Image.Image | None:
    """Open a file with Pillow; None if Pillow cannot represent it."""
    # Of a file with more bands, Pillow would log an error.
    if _read_tags(source.data).get(_SAMPLES, 1) > TiffImagePlugin.MAX_SAMPLESPERPIXEL:
        return None
    try:
        return open_by_pillow(source)
    except sslreg.UserError as error:
        if isinstance(error.__cause__, UnidentifiedImageError):
            return None
        raise
    except Exception:  # noqa: BLE001 - Pillow raises anything at features that it does not know
        return None


def _is_read_completely(image: Image.Image) -> bool:
    """Return whether Pillow reads all pages, bands and bits of a file."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or not _is_single(image):
        return False
    tags, bands = image.tag_v2, len(image.getbands())
    depths = {(bits, kind) for bits in tags.get(_BITS, (1,)) for kind in tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))}
    deep = {(12, _UNSIGNED), (16, _UNSIGNED)}
    # Pillow confuses the byte order of compressed floating-point levels.
    if tags.prefix == TiffImagePlugin.II:
        deep.add((32, _FLOAT))
    is_deep_gray = bands == 1 and depths <= deep
    return (
        tags.get(_SAMPLES, 1) <= bands
        and tags.get(_COMPRESSION) != _WEBP
        and tags.get(_PHOTOMETRIC, 0) in _KNOWN_TO_PILLOW
        and (is_deep_gray or all(bits <= 8 and kind == _UNSIGNED for bits, kind in depths))
    )


def _is_single(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Return whether all pages but the first are reduced versions or masks, and no images follow without a page."""
    if _IMAGES_OF_IMAGEJ in str(image.tag_v2.get(_DESCRIPTION, "")):
        return False
    try:
        for number in range(image.n_frames):
            image.seek(number)
            is_page = not image.tag_v2.get(_KIND, 0) & (REDUCED | MASK)
            if is_page != (number == 0):
                return False
        image.seek(0)
    except Exception:  # noqa: BLE001 - a page is broken, or Pillow cannot represent it
        return False
    return True


def _read_tags(data: bytes) -> Mapping[int, Any]:
    """Return the tags of the first page of a file, none if it is broken."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if _BIG in data[2:4] else 8])
        file = io.BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
    except Exception:  # noqa: BLE001 - Pillow raises anything at a broken file
        return {}
    return tags


def _describe(data: bytes) -> str:
    """Return a description of the first page of a file."""
    tags = _read_tags(data)
    if _WIDTH not in tags or _HEIGHT not in tags:
        return "a TIFF file that Pillow cannot decode"
    bands, bits = tags.get(_SAMPLES, 1), max(tags.get(_BITS, (1,)))
    plural = "s" if bands > 1 else ""
    return f"a TIFF file of {tags[_HEIGHT]} × {tags[_WIDTH]} pixels, {bands} band{plural} of {bits} bits"
