"""Images that Pillow has opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from sslreg.contracts.reader import Pixels
from sslreg.errors import UserError

#: The mode in which the levels of each mode are read. Other color spaces become RGB, since their numbers must not pass
#: for red, green and blue. Premultiplied alpha is divided out. Modes that are not listed are refused.
_READ_AS = {
    "1": "L",
    "L": "L",
    "La": "LA",
    "LA": "LA",
    "I": "I",
    "I;16": "I;16",
    "I;16L": "I;16L",
    "I;16B": "I;16B",
    "I;16N": "I;16N",
    "F": "F",
    "P": "RGB",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "RGBA": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
}

#: The same if a color, or a color of the palette, is transparent.
_READ_TRANSPARENT_AS = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA"}

#: How many levels of the image one level of a file with fewer bits is; Pillow scales pixels, and not the transparent
#: level.
_STEPS_OF_RAW_MODES = {"L;2": 0x55, "L;4": 0x11}

#: Tags of TIFF files. A TIFF that does not say what its fourth band is may have anything there.
_BITS, _PHOTOMETRIC, _EXTRA_SAMPLES = 258, 262, 338
_WHITE_IS_ZERO = 0

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def pixels_from_pil(image: Image.Image) -> Pixels:
    """Decode an image that Pillow has opened; readers that build on Pillow can use it.

    The orientation in EXIF is applied, unless the metadata are broken. Gray stays gray, and all colors become RGB.
    Transparent colors and palettes with alpha become an alpha channel. Of colors of 16 bits, Pillow keeps the upper 8.

    Args:
        image: Of any mode.

    Raises:
        UserError: The mode is unknown, the levels have more than 16 bits, or a transparent color cannot be recognized.
    """
    raw_mode, tags = _raw_mode(image), getattr(image, "tag_v2", {})
    image.load()
    _scale_transparency(image, raw_mode)
    range_, alpha = _gray_range(image.mode, tags), image.mode != "RGBA" or not tags or _EXTRA_SAMPLES in tags
    if (transposition := _TRANSPOSITIONS.get(_orientation(image))) is not None:
        image = image.transpose(transposition)
    if image.mode not in _READ_AS:
        raise UserError(f"its mode is {image.mode}, which is not supported", hint="save it as RGB or as gray")
    if image.mode.startswith("I"):
        return _read_deep_gray(image, range_)
    mode = _READ_AS[image.mode]
    if image.has_transparency_data:
        mode = _READ_TRANSPARENT_AS.get(image.mode, mode)
    levels = np.array(image if image.mode == mode else image.convert(mode))
    levels = levels[None] if levels.ndim == 2 else levels.transpose(2, 0, 1)
    return Pixels(levels, range_, alpha=alpha and mode in ("LA", "RGBA"))


def _raw_mode(image: Image.Image) -> str:
    """Return Pillow's name of the form in which pixels are stored; empty for an image that is decoded already."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return str(arguments[0]) if isinstance(arguments, tuple) and arguments else str(arguments or "")


def _gray_range(mode: str, tags: Mapping[int, Any]) -> tuple[float, float] | None:
    """Return the levels that mean black and white; None if they are the ends of the type."""
    # Pillow inverts images of at most 8 bits itself.
    inverted = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    if mode.startswith("I;16"):
        if tags.get(_BITS) == (12,):
            return (0.0, 4095.0)
        return (65535.0, 0.0) if inverted else None
    return (1.0, 0.0) if inverted and mode == "F" else None


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    # Metadata may be broken in any way, and say nothing of the orientation then.
    except Exception:  # noqa: BLE001
        return 1


def _read_deep_gray(image: Image.Image, range_: tuple[float, float] | None) -> Pixels:
    levels = np.array(image)
    # Pillow's mode I has 16-bit levels in 32 bits.
    if levels.dtype == np.int32 and (levels.min() < 0 or levels.max() > 0xFFFF):
        raise UserError("its levels are 32-bit integers beyond 16 bits", hint="scale it to 16 bits")
    levels = levels.astype(np.uint16)
    transparent = image.info.get("transparency")
    if transparent is None:
        return Pixels(levels[None], range_)
    # Pillow would convert the levels to 8 bits.
    opacity = np.where(levels == transparent, 0, 0xFFFF).astype(np.uint16)
    return Pixels(np.stack((levels, opacity)), alpha=True)


def _scale_transparency(image: Image.Image, raw_mode: str) -> None:
    """Bring the transparent level to the depth that the pixels have.

    The image itself is changed, since it has forgotten the depth of its file when it is decoded again.

    Raises:
        UserError: Pillow has dropped the bits of the pixels that tell the transparent color from others.
    """
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        image.info["transparency"] = transparent * _STEPS_OF_RAW_MODES.get(raw_mode, 1)
    elif isinstance(transparent, tuple) and (raw_mode.startswith("RGB;16") or max(transparent) > 0xFF):
        raise UserError(
            "it has 16 bits per channel and a transparent color, of which Pillow keeps 8 bits",
            hint="save it with an alpha channel",
        )
