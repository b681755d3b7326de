import io

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

import sslreg
from sslreg import load_image
from sslreg_readers import jpeg
from sslreg_readers.jpeg import Jpeg, UprightJpeg

pytest.importorskip("simplejpeg")

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)).resize((140, 90))


def opened(data: bytes) -> UprightJpeg | None:
    return Jpeg().open(sslreg.Source(data))


def encoded(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def with_orientation(number: int | None, image: Image.Image = PHOTO) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    if number is not None:
        exif[0x0112] = number
    return encoded(image, exif=exif)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{"quality": 92}, {"subsampling": 2}, {"subsampling": 0}, {"progressive": True}])
def test_pixels_equal_those_of_pillow(mode: str, options: dict[str, object]) -> None:
    data = encoded(PHOTO.convert(mode), **options)
    file = opened(data)
    assert file is not None
    expected = np.atleast_3d(np.array(Image.open(io.BytesIO(data)))).transpose(2, 0, 1)
    assert file.shape == expected.shape
    assert np.array_equal(file.read().levels, expected)
    assert np.array_equal(load_image(data), expected)


@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_reduced_image_equals_a_draft_of_pillow(mode: str, reduction: int) -> None:
    data = encoded(PHOTO.convert(mode))
    file = opened(data)
    assert file is not None
    pixels = file.read(reduction).levels
    with Image.open(io.BytesIO(data)) as image:
        image.draft(mode, (140 // reduction, 90 // reduction))
        expected = np.array(image).reshape(*pixels.shape[1:], -1)
    assert pixels.shape == (len(pixels), -(-90 // reduction), -(-140 // reduction))
    assert np.abs(pixels.transpose(1, 2, 0).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("orientation", [None, 1])
def test_an_upright_photograph_with_exif_is_opened(orientation: int | None) -> None:
    assert opened(with_orientation(orientation)) is not None


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_a_rotated_photograph_is_left_to_pillow(orientation: int) -> None:
    assert opened(with_orientation(orientation)) is None
    assert load_image(with_orientation(6)).shape == (3, 140, 90)


def test_a_file_whose_other_metadata_may_rotate_it_is_left_to_pillow() -> None:
    assert opened(encoded(PHOTO, xmp=b"<rdf tiff:Orientation='6'/>")) is None
    assert opened(encoded(PHOTO, exif=b"Exif\x00\x00nonsense")) is None
    assert opened(encoded(PHOTO, xmp=b"<rdf/>")) is not None


def test_other_color_spaces_are_left_to_pillow() -> None:
    assert opened(encoded(PHOTO.convert("CMYK"))) is None
    assert load_image(encoded(PHOTO.convert("CMYK")), 3).shape == (3, 90, 140)


@given(st.binary(max_size=60))
def test_no_bytes_make_opening_fail(rest: bytes) -> None:
    data = encoded(PHOTO)
    for damaged in (rest, b"\xff\xd8" + rest, b"\xff\xd8\xff\xe1\x00\x30Exif\x00\x00" + rest, data[:30] + rest):
        assert opened(damaged) is None or damaged.startswith(b"\xff\xd8")


def test_a_truncated_file_is_an_error_instead_of_a_gray_image() -> None:
    data = encoded(PHOTO)
    with pytest.raises(sslreg.UserError, match="truncated"):
        load_image(data[: len(data) // 2])


@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
def test_pillow_reduces_a_file_that_libjpeg_turbo_refuses(reduction: int) -> None:
    """The wrong length of a comment; libjpeg warns of the bytes behind it, at which simplejpeg stops."""
    data = encoded(PHOTO)
    damaged = data[:2] + b"\xff\xfe\x00\x04ab" + b"extraneous bytes" + data[2:]
    file = UprightJpeg(sslreg.Source(damaged), (3, 90, 140))
    assert tuple(file.read(reduction).levels.shape) == (3, -(-90 // reduction), -(-140 // reduction))


def test_without_simplejpeg_pillow_reads_all_files(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_image(encoded(PHOTO))
    monkeypatch.setattr(jpeg, "_simplejpeg", lambda: None)
    assert opened(encoded(PHOTO)) is None
    assert np.array_equal(load_image(encoded(PHOTO)), expected)


def claim_size(data: bytes, height: int, width: int) -> bytes:
    """Return a JPEG file with another size in its header (ITU-T T.81, B.2.2)."""
    at = next(data.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in data)
    return data[: at + 5] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[at + 9 :]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"mode": "CMYK"}, {"mode": "L"}, {"turned": True}])
def test_a_small_file_that_claims_a_large_size_is_refused_by_its_header(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dict(options)
    image = PHOTO.convert(str(options.pop("mode", "RGB")))
    data = with_orientation(6, image) if options.pop("turned", False) else encoded(image, **options)
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("it is decoded"))
    monkeypatch.setattr("simplejpeg.decode_jpeg", lambda *args, **options: pytest.fail("it is decoded"))
    bomb = claim_size(data, 20_000, 20_000)
    with pytest.raises(sslreg.UserError, match=r"20,000 × 20,000 pixels|too many pixels"):
        load_image(bomb)
    with pytest.raises(sslreg.UserError, match=r"20,000 × 20,000 pixels|too many pixels"):
        Jpeg().read(sslreg.Source(bomb))


def test_rare_sampling_factors_are_left_to_pillow() -> None:
    """Luma is sampled 1 × 4 times as often as chroma, whose blocks come after four of luma (A.2.3)."""
    data = encoded(Image.new("RGB", (8, 48), (10, 200, 30)), subsampling=0)
    at = data.index(b"\xff\xc0")
    data = claim_size(data[: at + 11] + b"\x14" + data[at + 12 :], 32, 8)
    assert opened(data) is None
    with Image.open(io.BytesIO(data)) as image:
        expected = np.array(image.convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(load_image(data, 3), expected)


@pytest.mark.parametrize("name", ["decode_jpeg_header", "decode_jpeg"])
@pytest.mark.parametrize("error", [KeyError(6), RuntimeError("no memory"), ValueError("bad")])
def test_pillow_reads_the_file_after_any_error_of_libjpeg_turbo(
    name: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_image(encoded(PHOTO))

    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(f"simplejpeg.{name}", fail)
    assert np.array_equal(load_image(encoded(PHOTO)), expected)


def test_the_whole_file_is_decoded_after_any_error_of_the_decoder_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    file = opened(encoded(PHOTO))
    assert file is not None
    monkeypatch.setattr(jpeg, "_LARGE", 0)
    part = sslreg.Part(2, 0, 0, 8, 8)
    assert file.read_parts([part]) is not None
    monkeypatch.setattr("sslreg_readers._baseline_jpeg.decoder.read_markers", lambda data: {}["missing"])
    assert file.read_parts([part]) is None
