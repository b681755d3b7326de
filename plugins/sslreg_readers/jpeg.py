"""JPEG files by libjpeg-turbo, which decodes Pillow's pixels faster, and by Pillow for what libjpeg-turbo leaves.

libjpeg-turbo needs simplejpeg. Parts of large photographs are decoded in reduced sizes by `_baseline_jpeg`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray

import sslreg
from sslreg_readers._orientation import may_be_rotated
from sslreg_readers._pillow_images import open_by_pillow

log = logging.getLogger(__name__)

#: The first bytes of every JPEG file.
SIGNATURE = b"\xff\xd8\xff"

#: From this many pixels on, decoding parts of a file is faster than decoding all of it by libjpeg-turbo.
_LARGE = 2_000_000


class Jpeg(sslreg.PartialReader):
    """JPEG files: gray, RGB or CMYK, baseline or progressive, rotated as their metadata asks."""

    extensions = (".jpg", ".jpeg", ".jpe", ".jfif")

    @property
    def faster_with(self) -> str | None:
        return "sslreg[fast]" if _simplejpeg() is None else None

    def matches(self, name: str, head: bytes) -> bool:
        return head.startswith(SIGNATURE)

    def read(self, source: sslreg.Source) -> sslreg.Pixels:
        image = self.open(source)
        return image.read() if image else _decode_by_pillow(source)

    def open(self, source: sslreg.Source) -> UprightJpeg | None:
        """Return a gray or YCbCr file whose metadata asks for no rotation; Pillow reads all others.

        Raises:
            sslreg.UserError: The file has too many pixels.
        """
        turbo, data = _simplejpeg(), source.data
        if turbo is None or may_be_rotated(data):
            return None
        try:
            height, width, color_space, _ = turbo.decode_jpeg_header(data)
        # Besides ValueError for broken files, a KeyError for rare sampling factors.
        except Exception as reason:  # noqa: BLE001
            log.debug("a JPEG file is left to Pillow: %r", reason)
            return None
        source.require_size(height, width)
        channels = {"Gray": 1, "YCbCr": 3}.get(color_space)
        return None if channels is None else UprightJpeg(source, (channels, height, width))


class UprightJpeg:
    """A gray or RGB file whose pixels are used as they are stored.

    Attributes:
        shape: C, H, W.
    """

    dtype = torch.uint8

    def __init__(self, source: sslreg.Source, shape: tuple[int, int, int]) -> None:
        self._source, self.shape = source, shape

    def read(self, reduction: int = 1) -> sslreg.Pixels:
        channels, height, width = self.shape
        least = {"min_height": -(-height // reduction), "min_width": -(-width // reduction), "min_factor": reduction}
        turbo = _simplejpeg()
        assert turbo is not None  # it read the shape
        try:
            pixels = turbo.decode_jpeg(
                self._source.data, "GRAY" if channels == 1 else "RGB", **(least if reduction > 1 else {})
            )
        # Pillow reads some broken files, and describes the others better.
        except Exception as reason:  # noqa: BLE001
            log.debug("a JPEG file is left to Pillow: %r", reason)
            return _decode_by_pillow(self._source, reduction)
        return _as_pixels(pixels)

    def read_parts(self, parts: Sequence[sslreg.Part]) -> list[sslreg.Pixels] | None:
        """Decode parts of a large file. None: the file is small, progressive or broken, or numba is missing."""
        _, height, width = self.shape
        if height * width < _LARGE or (decoder := _baseline_decoder()) is None:
            return None
        try:
            return [_as_pixels(pixels) for pixels in decoder.decode_parts(self._source.data, parts)]
        # UnsupportedError if all is well; whatever else it raises, the other decoders may read the file.
        except Exception as reason:  # noqa: BLE001
            log.debug("a JPEG file is decoded as a whole: %r", reason)
            return None


def _as_pixels(levels: NDArray[np.uint8]) -> sslreg.Pixels:
    """Return levels (H, W, C) as pixels, without a copy."""
    return sslreg.Pixels(levels.transpose(2, 0, 1))


def _decode_by_pillow(source: sslreg.Source, reduction: int = 1) -> sslreg.Pixels:
    with open_by_pillow(source) as image:
        if reduction > 1:
            image.draft(image.mode, (image.width // reduction, image.height // reduction))
        return sslreg.pixels_from_pil(image)


@cache
def _baseline_decoder() -> ModuleType | None:
    try:
        return import_module("sslreg_readers._baseline_jpeg.decoder")
    # numba is missing or does not support this NumPy.
    except (ImportError, RuntimeError) as error:
        log.warning("large JPEG files are decoded as a whole, since their decoder cannot be compiled: %s", error)
        return None


@cache
def _simplejpeg() -> ModuleType | None:
    try:
        return import_module("simplejpeg")
    except ImportError:
        return None
