"""TIFF files give the numbers that tifffile reads, and Pillow reads only files that it reads completely."""

from __future__ import annotations

import io
import itertools
import struct
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin

import sslreg
from sslreg_readers import _tiff_pages
from sslreg_readers.tiff import Tiff

tifffile = pytest.importorskip("tifffile")

NOISE = np.random.default_rng(0).integers(0, 65536, (13, 32, 48), dtype=np.uint16)


def encoded(levels: np.ndarray, **options: Any) -> bytes:
    """Return a TIFF file of levels (H, W), (H, W, bands), or of another shape that the options interpret."""
    file, planar = io.BytesIO(), {"planarconfig": "contig"} if levels.ndim == 3 else {}
    tifffile.imwrite(file, levels, **{"photometric": "minisblack", "metadata": None} | planar | options)
    return file.getvalue()


def encode_pages(*pages: np.ndarray, **options: Any) -> bytes:
    """Return a TIFF file of pages (H, W) or (H, W, bands)."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page in pages:
            planar = {"planarconfig": "contig"} if page.ndim == 3 else {}
            writer.write(page, photometric="minisblack", metadata=None, **planar, **options)
    return file.getvalue()


def levels_of(data: bytes, **parameters: Any) -> np.ndarray:
    return np.asarray(Tiff(**parameters).read(sslreg.Source(data)).levels)


@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "zstd", "jpeg2000"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize(("bands", "order"), [(4, "<"), (4, ">"), (13, "<"), (13, ">")])
def test_all_bands_of_16_bits_are_read(bands: int, order: str, planar: str, compression: str | None) -> None:
    if compression == "jpeg2000" and order == ">":
        pytest.skip("tifffile does not write it")
    expected = NOISE[:bands]
    levels = expected if planar == "separate" else expected.transpose(1, 2, 0)
    data = encoded(levels, planarconfig=planar, compression=compression, byteorder=order, tile=(16, 32))
    assert np.array_equal(levels_of(data), expected)
    assert torch.equal(sslreg.load_image(data, bands), torch.from_numpy(expected).float() / 65535)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_color_of_16_bits_keeps_all_of_them(planar: str, order: str, big: bool) -> None:
    levels = NOISE[:3] if planar == "separate" else NOISE[:3].transpose(1, 2, 0)
    data = encoded(levels, photometric="rgb", planarconfig=planar, byteorder=order, bigtiff=big)
    assert np.array_equal(levels_of(data), NOISE[:3])


@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}, {"rowsperstrip": 5}])
@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "packbits"])
@pytest.mark.parametrize("order", "<>")
def test_what_pillow_reads_equals_what_tifffile_reads(order: str, compression: str | None, layout: dict) -> None:
    colors = (NOISE[:3] >> 8).astype(np.uint8).transpose(1, 2, 0)
    for levels, photometric in (
        (colors, "rgb"),
        (colors[..., 0], "minisblack"),
        (colors[..., 0], "miniswhite"),
        (NOISE[0], "minisblack"),
        (NOISE[0].astype(np.float32) / 65535, "minisblack"),
    ):
        data = encoded(levels, photometric=photometric, compression=compression, byteorder=order, **layout)
        by_tifffile = _tiff_pages.read_pages(sslreg.Source(data), None, "")
        expected = levels.transpose(2, 0, 1) if levels.ndim == 3 else levels[None]
        assert np.array_equal(by_tifffile.levels, expected)
        pixels = Tiff().read(sslreg.Source(data))
        with Image.open(io.BytesIO(data)) as image:
            inverted = photometric == "miniswhite" and image.mode == "L"  # Pillow inverts the levels itself
        assert np.array_equal(255 - expected if inverted else expected, pixels.levels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_as_by_pillow(orientation: int) -> None:
    gray = (NOISE[0] >> 8).astype(np.uint8)
    tag = [(274, "H", 1, orientation, True)]
    upright = levels_of(encoded(gray, extratags=tag))[0]
    assert np.array_equal(levels_of(encoded(np.stack([gray] * 5, axis=2), extratags=tag))[4], upright)


def test_white_is_zero_inverts_any_depth() -> None:
    for levels in (NOISE[0], NOISE[:5].transpose(1, 2, 0), (NOISE[0] >> 8).astype(np.uint8)):
        top = np.iinfo(levels.dtype).max
        for order in "<>":
            image = sslreg.to_float(sslreg.load_image(encoded(levels, photometric="miniswhite", byteorder=order)))
            assert np.allclose(image.numpy(), 1 - np.atleast_3d(levels).transpose(2, 0, 1) / top, rtol=0, atol=1e-6)


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
def test_white_is_the_largest_level_of_the_stated_bits(bits: int) -> None:
    levels = (NOISE[:3].transpose(1, 2, 0) >> (16 - bits)).astype(np.uint8 if bits <= 8 else np.uint16)
    data = encode_packed(levels, bits)
    assert np.array_equal(levels_of(data), levels.transpose(2, 0, 1))
    assert torch.allclose(
        sslreg.load_image(data), torch.from_numpy(levels.transpose(2, 0, 1).astype(np.float32)) / (2**bits - 1)
    )


def encode_packed(levels: np.ndarray, bits: int) -> bytes:
    """Return an RGB TIFF of levels that are packed in `bits` bits."""
    rows = [((row.reshape(-1, 1) >> np.arange(bits)[::-1]) & 1).astype(np.uint8).ravel() for row in levels]
    body = b"".join(np.packbits(row).tobytes() for row in rows)
    height, width, bands = levels.shape
    depths, body = struct.pack("<HHH", bits, bits, bits), body + b"\0" * (len(body) % 2)
    tags = {
        256: width,
        257: height,
        258: 8 + len(body),
        259: 1,
        262: 2,
        273: 8,
        277: bands,
        278: height,
        279: len(body),
    }
    directory = b"".join(
        struct.pack("<HHII", tag, 3 if tag == 258 else 4, 1 + 2 * (tag == 258), v) for tag, v in tags.items()
    )
    head = struct.pack("<2sHI", b"II", 42, 8 + len(body) + len(depths))
    return head + body + depths + struct.pack("<H", len(tags)) + directory + bytes(4)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "u4", "f4", "f8"])
def test_levels_without_black_and_white_are_refused(dtype: str) -> None:
    with pytest.raises(sslreg.UserError, match=r"its levels run from -?5 to 100"):
        sslreg.load_image(encoded(np.array([[5 if dtype == "u4" else -5, 100]]).astype(dtype)))


def test_floating_point_in_zero_to_one_is_used_as_it_is() -> None:
    for dtype in (np.float16, np.float32, np.float64):
        levels = NOISE[:5].astype(dtype) / dtype(65535) if dtype != np.float16 else (NOISE[:5] / 65535).astype(dtype)
        assert np.array_equal(levels_of(encoded(levels.transpose(1, 2, 0))), levels.astype(np.float32))


def test_complex_levels_are_refused() -> None:
    with pytest.raises(sslreg.UserError, match="its levels are of type complex64"):
        sslreg.load_image(encoded(np.zeros((4, 4), np.complex64)))


PAGES = (NOISE[:3] >> 8).astype(np.uint8)


def test_pages_are_refused_unless_the_spec_chooses() -> None:
    data = encode_pages(*PAGES)
    with pytest.raises(sslreg.UserError, match="it has 3 pages, and a sample is one image") as caught:
        sslreg.load_image(data)
    assert "data.readers: [{use: tiff, pages: 0}] to read only the first, or pages: channels" in str(caught.value)
    assert np.array_equal(levels_of(data, pages="channels"), PAGES)
    for number in range(3):
        assert np.array_equal(levels_of(data, pages=number), PAGES[number : number + 1])
    for parameters, file in (({"pages": 3}, data), ({"pages": 1}, encode_pages(PAGES[0]))):
        with pytest.raises(sslreg.UserError, match=r"it has \d pages?, and none has the number"):
            levels_of(file, **parameters)


def test_pages_of_color_are_stacked_page_by_page() -> None:
    color = NOISE[:6].reshape(2, 3, 32, 48)
    data = encoded(color.transpose(0, 2, 3, 1), photometric="rgb")
    assert np.array_equal(levels_of(data, pages="channels"), NOISE[:6])


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (PAGES[0, :20], "size: 32 × 48, 20 × 48"),
        (NOISE[0], "type: uint8, uint16"),
        (PAGES.transpose(1, 2, 0), "bands: 1, 3"),
    ],
)
def test_unequal_pages_cannot_be_channels(other: np.ndarray, difference: str) -> None:
    data = encode_pages(PAGES[0], other)
    with pytest.raises(sslreg.UserError, match=f"they differ in {difference}"):
        levels_of(data, pages="channels")
    assert np.array_equal(levels_of(data, pages=0)[0], PAGES[0])


@pytest.mark.parametrize("metadata", [{"ome": True}, {"imagej": True}])
def test_pages_that_the_file_declares_as_channels_are_channels(metadata: dict[str, Any]) -> None:
    metadata |= {"planarconfig": None}
    assert np.array_equal(levels_of(encoded(NOISE[:5], **metadata, metadata={"axes": "CYX"})), NOISE[:5])
    with pytest.raises(sslreg.UserError, match="it has 5 pages"):
        levels_of(encoded(NOISE[:5], **metadata, metadata={"axes": "ZYX"}))


def test_reduced_versions_of_several_bands_are_no_pages() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for step, kind in ((1, 0), (2, 1), (3, 1)):
            reduced = NOISE[:5, ::step, ::step].transpose(1, 2, 0)
            writer.write(reduced, photometric="minisblack", planarconfig="contig", subfiletype=kind)
    assert np.array_equal(levels_of(file.getvalue()), NOISE[:5])


def test_reduced_versions_and_masks_are_no_pages() -> None:
    buffer, image = io.BytesIO(), Image.fromarray(PAGES.transpose(1, 2, 0))
    with TiffImagePlugin.AppendingTiffWriter(buffer, new=True) as writer:
        for number, kind in enumerate((0, 1, 4)):
            image.resize((48 >> number, 32 >> number)).save(writer, "TIFF", tiffinfo={254: kind})
            writer.newFrame()
    assert np.array_equal(levels_of(buffer.getvalue()), PAGES)


def test_a_stack_without_headers_is_refused() -> None:
    """ImageJ writes one header for a stack of more than 4 GB."""
    data = encoded(NOISE, imagej=True, planarconfig=None, metadata={"axes": "ZYX"})
    first = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[first : first + 2], "little")
    end = first + 2 + 12 * count
    with pytest.raises(sslreg.UserError, match="it has images outside of its pages"):
        levels_of(data[:end] + bytes(4) + data[end + 4 :], pages=0)


def test_pages_that_form_a_cycle_are_read_once(time_limit: None) -> None:
    data = encode_pages(*PAGES)
    offsets = [int.from_bytes(data[4:8], "little")]
    ends = []
    while offsets[-1]:
        count = int.from_bytes(data[offsets[-1] : offsets[-1] + 2], "little")
        ends.append(offsets[-1] + 2 + 12 * count)
        offsets.append(int.from_bytes(data[ends[-1] : ends[-1] + 4], "little"))
    looped = data[: ends[-1]] + offsets[1].to_bytes(4, "little") + data[ends[-1] + 4 :]
    with pytest.raises(sslreg.UserError, match=r"it has \d pages"):
        sslreg.load_image(looped)


def test_a_file_with_only_a_reduced_version_is_refused() -> None:
    """Photographs in the format of a camera begin with a thumbnail, which must not pass for them."""
    with pytest.raises(sslreg.UserError, match="it has only reduced versions of an image"):
        levels_of(encoded(PAGES[0], subfiletype=1))


@pytest.mark.parametrize("photometric", ["linear_raw", "logluv", "cielab"])
def test_levels_that_are_no_color_are_refused(photometric: str) -> None:
    data = encoded(NOISE[:3].transpose(1, 2, 0), photometric=photometric, planarconfig="contig")
    with pytest.raises(sslreg.UserError, match=f"its photometric interpretation is {photometric.upper()}"):
        levels_of(data)


@pytest.mark.parametrize(("extra", "alpha"), [("unassalpha", True), ("assocalpha", True), ("unspecified", False)])
def test_an_extra_band_is_opacity_if_the_file_says_so(extra: str, alpha: bool) -> None:
    opacity = NOISE[3] // 2 + 1
    stored = np.round(NOISE[:3] * (opacity / 65535.0)).astype(np.uint16) if extra == "assocalpha" else NOISE[:3]
    data = encoded(np.stack([*stored, opacity], axis=2), photometric="rgb", extrasamples=[extra])
    pixels = Tiff().read(sslreg.Source(data))
    assert pixels.alpha == alpha
    assert np.array_equal(pixels.levels[3], opacity)
    visible = opacity > 4000
    assert np.abs(pixels.levels[:3].astype(int) - NOISE[:3])[:, visible].max() <= (8 if extra == "assocalpha" else 0)


def test_an_opacity_between_bands_becomes_the_last() -> None:
    data = encoded(NOISE[:5].transpose(1, 2, 0), photometric="rgb", extrasamples=["unassalpha", "unspecified"])
    pixels = Tiff().read(sslreg.Source(data))
    assert pixels.alpha
    assert np.array_equal(pixels.levels, NOISE[[0, 1, 2, 4, 3]])


def test_a_palette_of_16_bits_is_looked_up() -> None:
    palette = np.random.default_rng(1).integers(0, 65536, (3, 256), dtype=np.uint16)
    pages = np.stack([PAGES[0], PAGES[1]])
    data = encoded(pages, photometric="palette", colormap=palette)
    assert np.array_equal(levels_of(data, pages=1), palette[:, PAGES[1]])


@pytest.mark.parametrize("compression", ["jpeg", "webp"])
def test_color_in_lossy_compression_is_rgb(compression: str) -> None:
    smooth = np.broadcast_to(np.array([200, 100, 50], np.uint8), (32, 48, 3))
    levels = levels_of(encoded(smooth, photometric="rgb", compression=compression))
    assert np.abs(levels.astype(int) - smooth.transpose(2, 0, 1)).max() <= 4


def test_a_truncated_file_is_an_error() -> None:
    for compression, levels in itertools.product((None, "deflate", "lzw", "zstd"), (NOISE, PAGES)):
        data = encoded(levels.transpose(1, 2, 0), planarconfig="contig", compression=compression, rowsperstrip=4)
        for end in (20, len(data) // 2, len(data) - 9):
            with pytest.raises(sslreg.UserError):
                sslreg.load_image(data[:end])


def test_the_size_is_checked_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda page: pytest.fail("it is decoded"))
    with pytest.raises(sslreg.UserError, match="it has 32 × 48 pixels, and at most 1,535 are allowed"):
        Tiff().read(sslreg.Source(encoded(NOISE.transpose(1, 2, 0)), max_pixels=1535))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (encoded(NOISE.transpose(1, 2, 0)), "a TIFF file of 32 × 48 pixels, 13 bands of 16 bits"),
        (encoded(NOISE[:3].transpose(1, 2, 0), photometric="rgb"), "a TIFF file of 32 × 48 pixels, 3 bands of 16 bits"),
        (encoded(PAGES[[0, 1, 2, 0]].transpose(1, 2, 0), photometric="rgb", extrasamples=[0]), "4 bands of 8 bits"),
        (encoded(NOISE[0].astype(np.int16)), "a TIFF file of 32 × 48 pixels, 1 band of 16 bits"),
        (encode_pages(*PAGES), "a TIFF file of 32 × 48 pixels, 1 band of 8 bits"),
    ],
)
def test_without_the_extra_a_file_that_pillow_reads_in_part_names_it(
    data: bytes, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    with pytest.raises(sslreg.UserError, match=f"{found}.* needs tifffile") as caught:
        sslreg.load_image(data)
    assert "pip install 'sslreg[formats]'" in str(caught.value)


def test_many_bands_are_read_without_messages(caplog: pytest.LogCaptureFixture) -> None:
    levels_of(encoded(NOISE.transpose(1, 2, 0)))
    assert not caplog.records


def test_without_the_extra_pillow_reads_the_files_of_which_it_reads_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    for levels in (PAGES[0], NOISE[0]):
        assert np.array_equal(levels_of(encoded(levels))[0], levels)
