"""Pillow's formats are recognized as Pillow itself recognizes them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg.images import Readers
from sslreg_readers.pillow import Pillow

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8))


def encoded(format_name: str) -> bytes:
    buffer = io.BytesIO()
    NOISE.save(buffer, format_name)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "format_name",
    ["PNG", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", "ICO", "PCX", "SGI", "DDS", "QOI", "AVIF", "TGA"],
)
def test_each_format_is_recognized_by_its_first_bytes(format_name: str) -> None:
    data = encoded(format_name)
    assert Pillow().matches("", data[:512])
    assert Pillow().read(sslreg.Source(data)).levels.shape[0] in (3, 4)


def test_jpeg_and_tiff_are_left_to_their_own_readers() -> None:
    for format_name in ("JPEG", "TIFF"):
        assert not Pillow().matches(f"photo.{format_name}", encoded(format_name)[:512])
    assert {".jpg", ".jpeg", ".tif", ".tiff"}.isdisjoint(Pillow().extensions)


@pytest.mark.parametrize(
    "head", [b"\x89HDF\r\n\x1a\n", b"GRIB", b"%PDF-1.7", b"\x93NUMPY\x01\x00", b"\0" * 128 + b"DICM"]
)
def test_formats_that_pillow_cannot_decode_are_left_to_others(head: bytes) -> None:
    assert not Pillow().matches("", head + bytes(300))


def test_a_format_without_a_signature_is_recognized_by_its_extension() -> None:
    assert Pillow().matches("scan.PCD", bytes(512))
    assert not Pillow().matches("scan.dat", bytes(512))


FRAMES = [Image.new("RGB", (8, 6), color) for color in ("red", "green", "blue")]


def encode_frames(format_name: str) -> bytes:
    buffer = io.BytesIO()
    FRAMES[0].save(buffer, format_name, save_all=True, append_images=FRAMES[1:])
    return buffer.getvalue()


@pytest.mark.parametrize("format_name", ["GIF", "PNG", "WEBP"])
def test_an_animation_is_refused_unless_the_spec_chooses_a_frame(format_name: str) -> None:
    data = encode_frames(format_name)
    with pytest.raises(sslreg.UserError, match="it has 3 frames, and a sample is one image") as caught:
        sslreg.load_image(data)
    assert "write data.readers: [{use: pillow, frames: 0}] to read only the first; or store" in str(caught.value)
    for number, color in enumerate(([255, 0, 0], [0, 128, 0], [0, 0, 255])):
        pixels = Pillow(frames=number).read(sslreg.Source(data)).levels
        assert np.abs(pixels[:3, 0, 0].astype(int) - color).max() <= 3
    with pytest.raises(
        sslreg.UserError, match="it has 3 frames, and none has the number 3; the first has the number 0"
    ):
        Pillow(frames=3).read(sslreg.Source(data))


def test_a_photograph_with_further_pictures_is_its_first() -> None:
    assert sslreg.load_image(encode_frames("MPO"))[:, 0, 0].tolist() == pytest.approx([255, 0, 0], abs=2)


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "WEBP", "GIF", "BMP", "JPEG", "MPO"])
def test_an_image_with_too_many_pixels_is_refused(format_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(format_name)
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("it is decoded"))
    with pytest.raises(sslreg.UserError, match="it has 12 × 16 pixels, and at most 191 are allowed") as caught:
        sslreg.load_image(data, readers=Readers(max_pixels=191))
    assert "raise data.max_pixels to 192" in str(caught.value)


def test_more_pixels_than_pillow_allows_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90)
    with pytest.raises(sslreg.UserError, match=r"too many pixels: Image size \(192 pixels\)") as caught:
        sslreg.load_image(encoded("PNG"), readers=Readers(max_pixels=180))
    assert "raise data.max_pixels" in str(caught.value)
    for format_name in ("PNG", "TIFF", "JPEG"):
        assert sslreg.load_image(encoded(format_name), readers=Readers(max_pixels=192)).shape == (3, 12, 16)


def test_the_default_limit_is_the_one_from_which_pillow_refuses_images() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert sslreg.Source(b"").max_pixels == 2 * Image.MAX_IMAGE_PIXELS
