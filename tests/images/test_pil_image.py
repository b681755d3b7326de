"""Each mode, depth, kind of transparency and byte order of an image gives its levels, as computed by hand."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg

#: The result over white of the color (200, 100, 50) with opacity 128 of 255, in float64: 100.4 + 127, and so on.
HALF = [200 * 128 / 255 + 127, 100 * 128 / 255 + 127, 50 * 128 / 255 + 127]


def of_mode(mode: str, *pixels: object) -> Image.Image:
    image = Image.new(mode, (len(pixels), 1))
    image.putdata(pixels)
    return image


def of_palette(transparency: int | bytes | None = None, mode: str = "RGB") -> Image.Image:
    """Return an image with the palette (10, 20, 30), (200, 100, 50)."""
    image = of_mode("P", 0, 1)
    opacities = (255, 128)
    colors = [(10, 20, 30), (200, 100, 50)]
    image.putpalette([v for c, a in zip(colors, opacities, strict=True) for v in (*c, a)[: len(mode)]], mode)
    if transparency is not None:
        image.info["transparency"] = transparency
    return image


def of_palette_with_alpha() -> Image.Image:
    image = of_palette().convert("PA")
    image.putalpha(of_mode("L", 255, 128))
    return image


def with_transparency(image: Image.Image, transparency: object) -> Image.Image:
    image.info["transparency"] = transparency
    return image


COLORS = [[10, 200], [20, 100], [30, 50]]
RED = Image.new("RGB", (1, 1), (250, 10, 20))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (of_mode("1", 0, 255), [[0, 255]]),
        (of_mode("L", 3, 200), [[3, 200]]),
        (of_mode("LA", (200, 255), (200, 128)), [[200, HALF[0]]]),
        (of_mode("LA", (200, 255), (200, 128)).convert("La"), [[200, HALF[0]]]),
        (of_mode("I", 0, 300, 65535), [[0, 300 / 65535, 1]]),
        (of_mode("I;16", 0, 300, 65535), [[0, 300 / 65535, 1]]),
        (Image.frombytes("I;16L", (2, 1), struct.pack("<HH", 300, 65535)), [[300 / 65535, 1]]),
        (Image.frombytes("I;16B", (2, 1), struct.pack(">HH", 300, 65535)), [[300 / 65535, 1]]),
        (of_mode("F", 0, 0.25, 1), [[0, 0.25, 1]]),
        (of_palette(), COLORS),
        (of_palette(transparency=1), [[10, 255], [20, 255], [30, 255]]),
        (of_palette(transparency=b"\xff\x80"), [[10, HALF[0]], [20, HALF[1]], [30, HALF[2]]]),
        (of_palette(mode="RGBA"), [[10, HALF[0]], [20, HALF[1]], [30, HALF[2]]]),
        (of_palette_with_alpha(), [[10, HALF[0]], [20, HALF[1]], [30, HALF[2]]]),
        (of_mode("RGB", (1, 2, 3), (250, 10, 20)), [[1, 250], [2, 10], [3, 20]]),
        (of_mode("RGBX", (1, 2, 3, 9), (250, 10, 20, 99)), [[1, 250], [2, 10], [3, 20]]),
        (of_mode("RGBA", (200, 100, 50, 128)), [[HALF[0]], [HALF[1]], [HALF[2]]]),
        (of_mode("RGBA", (200, 100, 50, 128)).convert("RGBa"), [[HALF[0]], [HALF[1]], [HALF[2]]]),
        (with_transparency(of_mode("1", 0, 255), 0), [[255, 255]]),
        (with_transparency(of_mode("L", 3, 200), 3), [[255, 200]]),
        (with_transparency(of_mode("I;16", 3, 200), 3), [[1, 200 / 65535]]),
        (with_transparency(of_mode("RGB", (1, 2, 3), (4, 5, 6)), (1, 2, 3)), [[255, 4], [255, 5], [255, 6]]),
        # CMYK is the complement of each ink, darkened by black: 255 * (1 - 51 / 255) * (1 - 102 / 255).
        (of_mode("CMYK", (51, 0, 255, 102)), [[122.4], [153], [0]]),
        # JPEG's YCbCr (ITU-T T.871): 100 + 1.402 * 50, 100 - 0.714136 * 50 - 0.344136 * 20, 100 + 1.772 * 20.
        (of_mode("YCbCr", (100, 148, 178)), [[170.1], [57.4], [135.4]]),
        # A hue of 0 is red, and of 85 of 255 green; saturation 128 of 255 leaves 1 - 128 / 255 of 200.
        (of_mode("HSV", (0, 128, 200), (85, 255, 200)), [[200, 0], [99.6, 200], [99.6, 0]]),
        # The middle of L with no color is the gray of 50 % lightness in sRGB, 118.9; L runs from 0 to 255.
        (of_mode("LAB", (128, 128, 128)), [[119.4], [119.4], [119.4]]),
        (RED.convert("LAB"), [[250], [10], [20]]),
    ],
)
def test_each_mode_gives_its_levels(image: Image.Image, expected: list[list[float]]) -> None:
    found = sslreg.load_image(image)
    deep = image.mode.startswith("I") or image.mode == "F"
    assert found.dtype == (torch.float32 if deep else torch.uint8)
    channels, tolerance = len(expected), 1e-6 if deep else 4 if image.mode == "LAB" else 1.0
    for wanted in {channels, 3}:
        found = sslreg.load_image(image, wanted)[:, 0].double()
        rows = torch.tensor(expected, dtype=torch.float64)
        assert torch.allclose(found, rows.expand(wanted, -1), rtol=0, atol=tolerance)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV"])
def test_numbers_of_other_color_spaces_never_pass_for_channels(mode: str) -> None:
    image = RED.convert(mode)
    with pytest.raises(sslreg.UserError, match="it has 3 channels, and 4 are wanted"):
        sslreg.load_image(image, 4)
    assert sslreg.load_image(image, 1).shape == (1, 1, 1)


def test_an_image_gives_the_same_levels_each_time() -> None:
    image = Image.open(io.BytesIO(png(np.array([[0, 1, 3]]), 2, struct.pack(">H", 1))))
    assert sslreg.load_image(image).tolist() == [[[0, 255, 255]]]
    assert sslreg.load_image(image).tolist() == [[[0, 255, 255]]]


def png(levels: np.ndarray, depth: int, transparency: bytes | None = None, color: int = 0) -> bytes:
    """Return a PNG file of levels (H, W), or (H, 3 * W) for RGB, with a chunk tRNS."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    bits = (levels[..., None] >> np.arange(depth)[::-1]) & 1
    rows = np.packbits(bits.reshape(len(levels), -1).astype(np.uint8), axis=1)
    width = levels.shape[1] // (3 if color == 2 else 1)
    head = struct.pack(">IIBBBBB", width, len(levels), depth, color, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + (b"" if transparency is None else chunk(b"tRNS", transparency))
        + chunk(b"IDAT", body)
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("transparent", [None, 0, 1])
def test_png_of_any_depth_of_gray(depth: int, transparent: int | None) -> None:
    largest = 2**depth - 1
    levels = np.array([[0, 1, largest // 2, largest]])
    data = png(levels, depth, None if transparent is None else struct.pack(">H", transparent))
    expected = np.where(levels == transparent, 1.0, levels / largest)
    for channels in (None, 1, 3):
        found = sslreg.load_image(data, channels)
        assert found.dtype == (torch.float32 if depth == 16 else torch.uint8)
        assert np.allclose(sslreg.to_float(found)[0, 0], expected[0], rtol=0, atol=1e-6)


def test_png_of_16_bits_per_color_gives_the_upper_8() -> None:
    levels = np.array([[0, 1 << 8, 0xFFFF, 0x1234, 0x12FF, 7]])
    assert sslreg.load_image(png(levels, 16, color=2))[:, 0].tolist() == [[0, 0x12], [1, 0x12], [0xFF, 0]]


def test_png_of_16_bits_per_color_with_a_transparent_one_is_refused() -> None:
    levels = np.array([[1, 2, 3, 1, 2, 4]])
    with pytest.raises(sslreg.UserError, match="16 bits per channel and a transparent color"):
        sslreg.load_image(png(levels, 16, struct.pack(">HHH", 1, 2, 3), color=2))


def tiff(
    levels: np.ndarray, order: str, *, bits: int, photometric: int = 1, extra: int | None = None, format_: int = 1
) -> bytes:
    """Return a TIFF file of levels (H, W) or (H, W, bands). order: ``<`` or ``>``."""
    height, width, bands = (*levels.shape, 1)[:3]
    if bits == 12:
        pairs = levels.reshape(-1, 2).astype(int)
        data = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs.tolist())
    else:
        data = levels.astype(levels.dtype.newbyteorder(order)).tobytes()
    depths = struct.pack(order + "H" * bands, *[bits] * bands)
    tags = [
        (256, width),
        (257, height),
        (258, bits if bands == 1 else 8 + len(data)),
        (259, 1),
        (262, photometric),
        (273, 8),
        (277, bands),
        (278, height),
        (279, len(data)),
        *([] if extra is None else [(338, extra)]),
        (339, format_),
    ]
    directory = struct.pack(order + "H", len(tags))
    for tag, value in tags:
        count = bands if tag == 258 else 1
        short = not (tag == 258 and bands > 2)
        directory += struct.pack(order + "HHI", tag, 3, count)
        directory += (
            struct.pack(order + "HH", value, value * (count == 2)) if short else struct.pack(order + "I", value)
        )
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(data) + len(depths))
    return head + data + depths + directory + struct.pack(order + "I", 0)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("levels", "options", "expected"),
    [
        (np.array([[0, 300, 65535]], np.uint16), {"bits": 16}, [0, 300 / 65535, 1]),
        (np.array([[0, 0.25, 1]], np.float32), {"bits": 32, "format_": 3}, [0, 0.25, 1]),
        (np.array([[0, 0.25, 1]], np.float32), {"bits": 32, "format_": 3, "photometric": 0}, [1, 0.75, 0]),
        (np.array([[0, 51, 255]], np.uint8), {"bits": 8}, [0, 0.2, 1]),
        (np.array([[0, 51, 255]], np.uint8), {"bits": 8, "photometric": 0}, [1, 0.8, 0]),
    ],
)
def test_tiff_of_either_byte_order(
    levels: np.ndarray, options: dict[str, int], expected: list[float], order: str
) -> None:
    found = sslreg.to_float(sslreg.load_image(tiff(levels, order, **options), 1))
    assert np.allclose(found[0, 0], expected, rtol=0, atol=1e-6)


def test_tiff_of_16_bits_in_which_white_is_zero() -> None:
    levels = np.array([[0, 300, 65535]], np.uint16)
    for order in "<>":
        found = sslreg.load_image(tiff(levels, order, bits=16, photometric=0))
        assert np.allclose(found[0], 1 - levels / 65535, rtol=0, atol=1e-6)


def test_tiff_of_12_bits_is_as_bright_as_of_16() -> None:
    data = tiff(np.array([[0, 1000, 2000, 4095]], np.uint16), "<", bits=12)
    assert np.allclose(sslreg.load_image(data)[0, 0], [0, 1000 / 4095, 2000 / 4095, 1], atol=1e-6)


BANDS = np.array([[[200, 100, 50, 128]]], np.uint8)


@pytest.mark.parametrize("extra", [1, 2])
def test_the_fourth_band_of_a_tiff_is_opacity_if_it_says_so(extra: int) -> None:
    levels = BANDS if extra == 2 else np.array([[[100, 50, 25, 128]]], np.uint8)  # 1: premultiplied
    data = tiff(levels, "<", bits=8, photometric=2, extra=extra)
    assert np.abs(sslreg.load_image(data, 3)[:, 0, 0].numpy() - HALF).max() <= 1


def test_a_fourth_band_of_a_tiff_that_is_not_described_is_no_opacity() -> None:
    data = tiff(BANDS, "<", bits=8, photometric=2)
    assert sslreg.load_image(data, 4)[:, 0, 0].tolist() == [200, 100, 50, 128]
    with pytest.raises(sslreg.UserError, match="it has 4 channels, and 3 are wanted"):
        sslreg.load_image(data, 3)


@pytest.mark.parametrize(
    "make", [lambda g: g.astype(">u2"), lambda g: (g / 65535).astype(">f4"), lambda g: (g / 65535).astype(">f8")]
)
def test_arrays_of_either_byte_order(make: Callable[[np.ndarray], np.ndarray]) -> None:
    levels = np.array([[[0, 300, 65535]]], np.uint16)
    assert np.allclose(sslreg.load_image(make(levels), 1), levels / 65535, rtol=0, atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_is_applied(orientation: int) -> None:
    levels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG", exif=exif)
    upright = {
        1: levels,
        2: levels[:, ::-1],
        3: levels[::-1, ::-1],
        4: levels[::-1],
        5: levels.T,
        6: np.rot90(levels, -1),
        7: levels[::-1, ::-1].T,
        8: np.rot90(levels),
    }
    assert np.array_equal(sslreg.load_image(buffer.getvalue())[0], upright[orientation])


def test_an_image_in_memory_keeps_its_metadata() -> None:
    image = with_transparency(of_mode("I;16", 3, 200), 3)
    sslreg.load_image(image)
    assert image.info == {"transparency": 3}


BROKEN_EXIF = [
    b"\0\x08\0\x02\x01\x12\0\x03",
    b"",
    b"II*\0\xff\xff\xff\xff",
    b"MM\0*\0\0\0\x08\0\x01\x01\x12",
    b"Exif\0\0nonsense",
]


@pytest.mark.parametrize("format_", ["PNG", "WEBP", "JPEG", "AVIF"])
@pytest.mark.parametrize("exif", BROKEN_EXIF)
def test_broken_metadata_say_nothing_of_the_orientation(format_: str, exif: bytes) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 6), (9, 9, 9)).save(buffer, format_, **({} if format_ == "AVIF" else {"exif": exif}))
    assert sslreg.load_image(buffer.getvalue(), 3).shape == (3, 6, 9)
