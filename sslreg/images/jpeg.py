"""JPEG files by libjpeg-turbo itself, where simplejpeg is installed: the pixels that Pillow gives, sooner.

Of large ones, parts may be decoded in reduced sizes instead, by `baseline_jpeg`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Literal

import torch
from torch import Tensor

log = logging.getLogger(__name__)

#: From how many pixels on it is sooner to decode parts of a file than to have libjpeg decode all of it.
_LARGE = 2_000_000

_START, _METADATA, _SCAN = b"\xff\xd8", b"\xff\xe1", b"\xff\xda"
_EXIF = b"Exif\x00\x00"
#: What a TIFF file, as which EXIF is written, begins with after its byte order; and its tag.
_TIFF, _ORIENTATION = 42, 0x0112
#: What XMP calls the orientation.
_XMP_ORIENTATION = b"tiff:Orientation"


@dataclass(frozen=True)
class Part:
    """A part of an image that is reduced by 2, 4 or 8 and rounded up, in pixels of that size; not empty."""

    reduction: int
    top: int
    left: int
    height: int
    width: int


class PlainJpeg:
    """A gray or RGB JPEG file that is to be shown as it is stored, of known size and not decoded yet.

    shape: C, H, W. Pillow reads what this does not: other color spaces, and files that ask for a rotation.
    """

    dtype = torch.uint8

    def __init__(self, data: bytes, shape: tuple[int, int, int]) -> None:
        self.data, self.shape = data, torch.Size(shape)

    @classmethod
    def of(cls, data: bytes) -> PlainJpeg | None:
        """The file, or None where it is not of this kind or simplejpeg is not installed."""
        turbo = _simplejpeg()
        if turbo is None or not data.startswith(_START) or _may_be_turned(data):
            return None
        try:
            height, width, color_space, _ = turbo.decode_jpeg_header(data)
        except ValueError:
            return None
        channels = {"Gray": 1, "YCbCr": 3}.get(color_space)
        return None if channels is None else cls(data, (channels, height, width))

    def decode(self, reduction: int = 1) -> Tensor:
        """The pixels (C, H, W), uint8, of all or of every `reduction`-th row and column, smoothed: 1, 2, 4 or 8.

        A reduced size is rounded up. ValueError: the file is broken.
        """
        channels, height, width = self.shape
        least = {"min_height": -(-height // reduction), "min_width": -(-width // reduction), "min_factor": reduction}
        turbo = _simplejpeg()
        assert turbo is not None
        pixels = turbo.decode_jpeg(self.data, "GRAY" if channels == 1 else "RGB", **(least if reduction > 1 else {}))
        return torch.from_numpy(pixels).permute(2, 0, 1)

    def decode_parts(self, parts: Sequence[Part]) -> list[Tensor] | None:
        """Parts (C, height, width) of the image in reduced sizes, of as many as one likes, in one pass over the file.

        None where that is not possible, or no faster than to decode all of it: for small or progressive files, for
        broken ones, and without numba.
        """
        _, height, width = self.shape
        if height * width < _LARGE or (decoder := _baseline_decoder()) is None:
            return None
        try:
            decoded = decoder.decode_parts(self.data, parts)
        except decoder.UnsupportedError as reason:
            log.debug("a JPEG file is decoded as a whole: %s", reason)
            return None
        return [torch.from_numpy(pixels).permute(2, 0, 1) for pixels in decoded]


def _may_be_turned(data: bytes) -> bool:
    """Whether metadata before the pixels may ask for another orientation; it may where it cannot be read."""
    position = len(_START)
    while (marker := data[position : position + 2]) != _SCAN:
        if len(marker) < 2 or marker[0] != _SCAN[0]:
            return True
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _METADATA:
            segment = data[position + 4 : end]
            if _XMP_ORIENTATION in segment or (segment.startswith(_EXIF) and _orientation(segment) != 1):
                return True
        position = end
    return False


def _orientation(segment: bytes) -> int:
    """As EXIF numbers it, where its first directory holds it; 1 is upright, 0 stands for what cannot be read."""
    tiff = segment[len(_EXIF) :]
    order: Literal["little", "big"] = "little" if tiff.startswith(b"II") else "big"

    def number(start: int, size: int) -> int:
        return int.from_bytes(tiff[start : start + size], order)

    if number(2, 2) != _TIFF:
        return 0
    directory = number(4, 4)
    entries = range(directory + 2, directory + 2 + 12 * number(directory, 2), 12)
    return next((number(entry + 8, 2) for entry in entries if number(entry, 2) == _ORIENTATION), 1)


@cache
def _baseline_decoder() -> ModuleType | None:
    try:
        return import_module("sslreg.images.baseline_jpeg.decoder")
    # numba is missing, does not know this NumPy, or finds no place to keep what it compiles.
    except (ImportError, RuntimeError) as error:
        log.warning("large JPEG files are decoded as a whole, since their decoder cannot be compiled: %s", error)
        return None


@cache
def _simplejpeg() -> ModuleType | None:
    try:
        return import_module("simplejpeg")
    except ImportError:
        return None
