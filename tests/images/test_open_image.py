import contextlib
import io
import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg
from sslreg.images import load_image

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
GRAY = RGB[..., 0]


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"])
def test_any_format_of_pillow_gives_its_pixels(format: str) -> None:
    data = encoded(Image.fromarray(RGB), format)
    expected = np.array(Image.open(io.BytesIO(data)).convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(load_image(data, 3), expected)


def test_bytes_paths_pil_images_arrays_and_tensors_are_alike(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(RGB).save(path)
    planes = RGB.transpose(2, 0, 1)
    forms = [path, str(path), path.read_bytes(), Image.fromarray(RGB), planes, torch.from_numpy(planes.copy())]
    for form in forms:
        assert np.array_equal(load_image(form, 3), planes)


def test_without_channels_an_image_keeps_its_own() -> None:
    assert load_image(encoded(Image.fromarray(GRAY))).shape == (1, 6, 9)
    assert load_image(encoded(Image.fromarray(RGB))).shape == (3, 6, 9)
    assert load_image(np.zeros((13, 4, 5), np.uint8)).shape == (13, 4, 5)


def test_gray_becomes_rgb_by_repetition_and_rgb_gray_by_luma() -> None:
    assert np.array_equal(load_image(GRAY, 3), np.stack([GRAY] * 3))
    luma = np.array(Image.fromarray(RGB).convert("L")).astype(int)
    assert np.abs(load_image(Image.fromarray(RGB), 1).numpy()[0] - luma).max() <= 1


def test_alpha_is_laid_over_white() -> None:
    image = Image.fromarray(np.dstack((RGB, np.full((6, 9), 64, np.uint8))))
    expected = RGB.transpose(2, 0, 1) * (64 / 255) + 255 * (191 / 255)
    assert np.abs(load_image(image, 3).numpy() - expected).max() <= 0.51
    transparent = Image.new("LA", (4, 4), (0, 0))
    assert (load_image(transparent, 1) == 255).all()
    assert (load_image(transparent, 3) == 255).all()


def test_four_channels_that_are_asked_for_are_kept() -> None:
    rgba = np.dstack((RGB, GRAY))
    assert np.array_equal(load_image(Image.fromarray(rgba), 4), rgba.transpose(2, 0, 1))


@pytest.mark.parametrize("transparent", [False, True])
def test_a_palette_is_looked_up(transparent: bool) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    data = encoded(palette, **({"transparency": 1} if transparent else {}))
    expected = [[10, 255 if transparent else 40], [20, 255 if transparent else 50], [30, 255 if transparent else 60]]
    assert load_image(data, 3)[:, 0].tolist() == expected


def test_cmyk_becomes_rgb() -> None:
    cmyk = Image.fromarray(RGB).convert("CMYK")
    assert np.array_equal(load_image(cmyk, 3), np.array(cmyk.convert("RGB")).transpose(2, 0, 1))


def test_the_orientation_of_exif_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise
    data = encoded(Image.fromarray(RGB), "PNG", exif=exif)
    assert np.array_equal(load_image(data, 3), np.rot90(RGB, -1).transpose(2, 0, 1))


def test_sixteen_bits_become_float_in_zero_to_one() -> None:
    levels = np.array([[0, 1, 300], [40_000, 65_534, 65_535]], np.uint16)
    for form in (encoded(Image.fromarray(levels)), encoded(Image.fromarray(levels), "TIFF"), levels):
        image = load_image(form)
        assert image.dtype == torch.float32
        assert np.allclose(image[0], levels / 65_535, atol=1e-7)


def test_sixteen_bits_of_color_come_from_arrays() -> None:
    levels = np.array([[[1, 257], [300, 400]], [[65_535, 500], [0, 9]], [[5, 6], [7, 8]]], np.uint16)
    assert np.allclose(load_image(levels, 3), levels / 65_535, atol=1e-7)


def test_black_and_white_spans_the_levels() -> None:
    assert load_image(Image.fromarray(np.eye(3, dtype=bool)))[0].tolist() == (np.eye(3) * 255).tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_point_in_zero_to_one_is_taken(dtype: type) -> None:
    image = load_image(np.linspace(0, 1, 12).reshape(1, 3, 4).astype(dtype))
    assert image.dtype == torch.float32


@pytest.mark.parametrize(
    ("image", "channels", "message", "hint"),
    [
        (np.array([[[0.0, 255.0]]]), None, "0 to 255", "divide"),
        (np.array([[[0.5, np.nan]]]), None, "nan", "divide"),
        (np.zeros((1, 2, 2), np.int64), None, "int64", "uint8"),
        (np.zeros((40, 30, 3), np.uint8), 3, r"\(H, W, C\)", "transpose"),
        (np.zeros((2, 3, 4, 5), np.uint8), None, r"\(2, 3, 4, 5\)", "C, H, W"),
        (np.zeros((3, 0, 5), np.uint8), None, "no pixels", None),
        (np.zeros((13, 4, 5), np.uint8), 3, "13 channels, and 3", "data.channels"),
        (np.zeros((3, 4, 5), np.uint8), 13, "3 channels, and 13", "data.channels"),
        (42, None, "int is not an image", "bytes"),
        (b"", None, "empty", None),
        (b"not an image", None, "12 bytes cannot be read", None),
    ],
)
def test_what_cannot_be_meant_is_refused(image: object, channels: int | None, message: str, hint: str | None) -> None:
    with pytest.raises(sslreg.UserError, match=message) as caught:
        load_image(image, channels)  # type: ignore[arg-type]
    assert hint is None or hint in str(caught.value)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_file_is_named(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"cut.{format}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), format)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(sslreg.UserError, match=f"cut.{format} cannot be read"):
        load_image(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(sslreg.UserError, match=r"absent\.png: there is no such file"):
        load_image(tmp_path / "absent.png")


def test_a_decompression_bomb_is_refused() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(sslreg.UserError, match="too many pixels"):
        load_image(
            b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
        )


@pytest.mark.parametrize("kind", ["FIFO", "socket", "device", "folder"])
def test_only_regular_files_are_opened(kind: str, tmp_path: Path, time_limit: None) -> None:
    path, server = tmp_path / "image.jpg", socket.socket(socket.AF_UNIX)
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with contextlib.chdir(tmp_path):  # paths of sockets are short
            server.bind(path.name)
    with server:
        for form in (path, str(path)):
            with pytest.raises(sslreg.UserError, match=rf"image\.jpg: it is a {kind}, not a regular file"):
                load_image(form)


def test_a_fifo_that_replaces_a_file_is_not_waited_for(tmp_path: Path, time_limit: None) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(encoded(Image.fromarray(RGB)))
    source = sslreg.Source(path)
    assert source.head
    source.close()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(sslreg.UserError, match="FIFO"):
        _ = source.data


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((40, 30, 3), None), ((40, 30, 3), 3), ((40, 30, 1), 1), ((4, 30, 3), 3), ((64, 64, 13), 13), ((5, 9, 2), 2)],
)
def test_the_message_on_channels_that_come_last_names_the_axes(shape: tuple[int, ...], channels: int | None) -> None:
    for form in (np.zeros(shape, np.uint8), torch.zeros(shape, dtype=torch.uint8)):
        with pytest.raises(sslreg.UserError, match=r"looks like \(H, W, C\)") as caught:
            load_image(form, channels)
        assert ".transpose(2, 0, 1) of an array, .permute(2, 0, 1) of a tensor" in str(caught.value)


@pytest.mark.parametrize(("shape", "channels"), [((3, 40, 1), 1), ((1, 40, 3), 3), ((3, 5, 3), 3), ((13, 4, 4), 13)])
def test_narrow_images_with_channels_first_are_taken(shape: tuple[int, int, int], channels: int) -> None:
    assert load_image(np.zeros(shape, np.uint8), channels).shape == (channels, *shape[1:])


def test_pixels_are_those_of_the_reader() -> None:
    transparent = Image.fromarray(RGB)
    transparent.putalpha(100)
    pixels = sslreg.read_pixels(encoded(transparent))
    assert pixels.alpha
    assert np.array_equal(np.asarray(pixels.levels)[:3], RGB.transpose(2, 0, 1))
    assert np.array_equal(sslreg.read_pixels(GRAY).levels, GRAY[None])
    assert np.array_equal(sslreg.read_pixels(Image.fromarray(GRAY)).levels, GRAY[None])


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_pixels_load_as_the_image_that_they_come_from(channels: int | None) -> None:
    data = encoded(Image.fromarray(RGB).convert("RGBA"))
    assert torch.equal(load_image(sslreg.read_pixels(data), channels), load_image(data, channels))


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", "empty"),
        (b"no image", "no installed reader"),
        (7, "a int is not an image"),
        (sslreg.UserError("gone"), "gone"),
    ],
)
def test_pixels_that_cannot_be_read(image: object, reason: str) -> None:
    with pytest.raises(sslreg.UserError, match=reason):
        sslreg.read_pixels(image)  # type: ignore[arg-type]
