"""JPEG files by libjpeg-turbo itself, where simplejpeg is installed: the pixels that Pillow gives, sooner."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor

_START = b"\xff\xd8\xff"
_EXIF = b"Exif\x00\x00"
#: Where EXIF stands if there is any: its segment is among the first, and no longer than this.
_HEAD = 2**16


def decode_plain_jpeg(data: bytes) -> Tensor | None:
    """The pixels (C, H, W), uint8, of a gray or RGB JPEG, or None where it takes Pillow.

    Pillow reads what this does not: other formats and color spaces, files with EXIF, which may ask for a rotation,
    and broken ones, which it describes better.
    """
    turbo = _simplejpeg()
    if turbo is None or not data.startswith(_START) or _EXIF in data[:_HEAD]:
        return None
    try:
        color_space = turbo.decode_jpeg_header(data)[2]
        if color_space not in ("YCbCr", "Gray"):
            return None
        pixels = turbo.decode_jpeg(data, "GRAY" if color_space == "Gray" else "RGB")
    except ValueError:
        return None
    return torch.from_numpy(pixels).permute(2, 0, 1)


@cache
def _simplejpeg() -> ModuleType | None:
    try:
        return import_module("simplejpeg")
    except ImportError:
        return None
