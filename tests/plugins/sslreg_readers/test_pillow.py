"""Pillow's formats are recognized as Pillow itself recognizes them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg_readers.pillow import Pillow

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8))


def encoded(format_name: str) -> bytes:
    buffer = io.BytesIO()
    NOISE.save(buffer, format_name)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "format_name",
    ["PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", "ICO", "PCX", "SGI", "DDS", "QOI", "AVIF", "TGA"],
)
def test_each_format_is_recognized_by_its_first_bytes(format_name: str) -> None:
    data = encoded(format_name)
    assert Pillow().matches("", data[:512])
    assert Pillow().read(sslreg.Source(data)).levels.shape[0] in (3, 4)


def test_jpeg_is_left_to_its_own_reader() -> None:
    assert not Pillow().matches("photo.jpg", encoded("JPEG")[:512])
    assert {".jpg", ".jpeg"}.isdisjoint(Pillow().extensions)


@pytest.mark.parametrize(
    "head", [b"\x89HDF\r\n\x1a\n", b"GRIB", b"%PDF-1.7", b"\x93NUMPY\x01\x00", b"\0" * 128 + b"DICM"]
)
def test_formats_that_pillow_cannot_decode_are_left_to_others(head: bytes) -> None:
    assert not Pillow().matches("", head + bytes(300))


def test_a_format_without_a_signature_goes_by_its_extension() -> None:
    assert Pillow().matches("scan.PCD", bytes(512))
    assert not Pillow().matches("scan.dat", bytes(512))
