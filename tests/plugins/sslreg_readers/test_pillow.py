"""Pillow's formats are recognized as Pillow itself recognizes them."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

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


def test_a_format_without_a_signature_is_recognized_by_its_extension() -> None:
    assert Pillow().matches("scan.PCD", bytes(512))
    assert not Pillow().matches("scan.dat", bytes(512))


FRAMES = [Image.new("RGB", (8, 6), color) for color in ("red", "green", "blue")]


def encode_frames(format_name: str) -> bytes:
    buffer = io.BytesIO()
    FRAMES[0].save(buffer, format_name, save_all=True, append_images=FRAMES[1:])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("format_name", "name"), [("TIFF", "pages"), ("GIF", "frames"), ("PNG", "frames"), ("WEBP", "frames")]
)
def test_pages_and_frames_are_refused_by_their_number(format_name: str, name: str) -> None:
    with pytest.raises(sslreg.UserError, match=f"it has 3 {name}, and a sample is one image"):
        sslreg.load_image(encode_frames(format_name))


def test_reduced_versions_and_masks_in_a_tiff_are_no_pages() -> None:
    buffer = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(buffer, new=True) as writer:
        for number, kind in enumerate((0, 1, 4)):
            NOISE.resize((16 >> number, 12 >> number)).save(writer, "TIFF", tiffinfo={254: kind})
            writer.newFrame()
    assert np.array_equal(sslreg.load_image(buffer.getvalue()), np.array(NOISE).transpose(2, 0, 1))


def test_a_photograph_with_further_pictures_is_its_first() -> None:
    assert sslreg.load_image(encode_frames("MPO"))[:, 0, 0].tolist() == pytest.approx([255, 0, 0], abs=2)


@pytest.mark.parametrize("bands", [4, 5])
def test_bands_that_pillow_would_drop_are_refused(bands: int) -> None:
    with pytest.raises(sslreg.UserError, match=f"it has {bands} bands, of which Pillow reads 3"):
        sslreg.load_image(tiff_of_bands(bands))


def test_bands_that_pillow_cannot_read_are_counted() -> None:
    with pytest.raises(sslreg.UserError, match="a TIFF file of 1 × 1 pixels, 13 bands of 8 bits"):
        sslreg.load_image(tiff_of_bands(13))


def tiff_of_bands(bands: int) -> bytes:
    """Return a TIFF file of one RGB pixel with further bands."""
    tags, size = TiffImagePlugin.ImageFileDirectory_v2(), bands + bands % 2
    extra = (0,) * (bands - 3)
    values = {256: 1, 257: 1, 258: (8,) * bands, 259: 1, 262: 2, 273: 8, 277: bands, 278: 1, 279: bands, 338: extra}
    for tag, value in values.items():
        tags[tag] = value
    buffer = io.BytesIO()
    buffer.write(b"II*\0" + struct.pack("<I", 8 + size) + bytes(size))
    buffer.write(tags.tobytes(buffer.tell()))
    return buffer.getvalue()


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
