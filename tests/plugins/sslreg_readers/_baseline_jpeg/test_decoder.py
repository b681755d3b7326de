"""Parts of JPEG files are those that libjpeg's pixels give when their fine frequencies are left out."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.fft import dctn, idctn
from sklearn.datasets import load_sample_images

from sslreg import Part

simplejpeg = pytest.importorskip("simplejpeg")
pytest.importorskip("numba")

from sslreg_readers._baseline_jpeg import decoder  # noqa: E402
from sslreg_readers._baseline_jpeg.markers import UnsupportedError  # noqa: E402

REDUCTIONS = (2, 4, 8)
FUZZING = Path(__file__).with_name("fuzzing.py")


def whole(data: bytes, reduction: int) -> NDArray[np.int64]:
    """All of an image, by this package."""
    height, width = simplejpeg.decode_jpeg_header(data)[:2]
    part = Part(reduction, 0, 0, -(-height // reduction), -(-width // reduction))
    (pixels,) = decoder.decode_parts(data, [part])
    assert pixels.dtype == np.uint8
    return pixels.astype(np.int64)


def without_fine_frequencies(pixels: NDArray[np.uint8], reduction: int) -> NDArray[np.float64]:
    """Pixels (H, W, C) of blocks' lowest frequencies; the sides are multiples of 8."""
    size, (height, width, channels) = 8 // reduction, pixels.shape
    blocks = pixels.reshape(height // 8, 8, width // 8, 8, channels).astype(np.float64)
    frequencies = dctn(blocks, axes=(1, 3), norm="ortho")[:, :size, :, :size] * size / 8
    reduced = idctn(frequencies, axes=(1, 3), norm="ortho").reshape(height // reduction, width // reduction, channels)
    return reduced.round().clip(0, 255)


def by_pillow(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def photographs(size: tuple[int, int] = (632, 416)) -> list[Image.Image]:
    """scikit-learn's two, of less contrast, so that no level is cut off."""
    return [Image.fromarray(photo // 2 + 64).crop((0, 0, *size)) for photo in load_sample_images().images]


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(96, 160, (96, 120), dtype=np.uint8))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("quality", [1, 10, 40, 75, 92, 100])
def test_gray_pixels_equal_those_of_libjpeg_without_high_frequencies(quality: int, reduction: int) -> None:
    for image in [*(photo.convert("L") for photo in photographs()), noise()]:
        data = by_pillow(image, quality=quality)
        expected = without_fine_frequencies(np.array(Image.open(io.BytesIO(data)))[:, :, None], reduction)
        assert np.abs(whole(data, reduction) - expected).max() <= 1


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("subsampling", ["444", "422", "440", "420"])
def test_colors_equal_those_of_libjpeg_without_high_frequencies(subsampling: str, reduction: int) -> None:
    """Where colors are sampled at half the rate libjpeg fills in between; so they are to change slowly."""
    for photo in photographs():
        pixels = np.array(photo.filter(ImageFilter.GaussianBlur(8)))
        data = simplejpeg.encode_jpeg(pixels, 97, colorsubsampling=subsampling)
        difference = np.abs(whole(data, reduction) - without_fine_frequencies(simplejpeg.decode_jpeg(data), reduction))
        assert difference.max() <= 4
        assert difference.mean() < 0.5


@pytest.mark.parametrize("subsampling", ["444", "Gray"])
@pytest.mark.parametrize("quality", [5, 60, 95])
def test_an_eighth_equals_that_of_libjpeg(quality: int, subsampling: str) -> None:
    for photo in load_sample_images().images:
        gray = subsampling == "Gray"
        pixels = photo[:421, :635, :1] if gray else photo[:421, :635]
        space = "GRAY" if gray else "RGB"
        data = simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels), quality, colorspace=space, colorsubsampling=subsampling
        )
        expected = simplejpeg.decode_jpeg(data, space, min_height=53, min_width=80, min_factor=8)
        assert np.abs(whole(data, 8) - expected).max() <= 1


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("subsampling", ["444", "422", "440", "420"])
def test_photographs_are_close_to_those_of_libjpeg(subsampling: str, reduction: int) -> None:
    for photo in load_sample_images().images:
        data = simplejpeg.encode_jpeg(np.ascontiguousarray(photo[:421, :635]), 92, colorsubsampling=subsampling)
        ours = whole(data, reduction)
        height, width = ours.shape[:2]
        theirs = simplejpeg.decode_jpeg(data, min_height=height, min_width=width, min_factor=reduction)
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).mean() < 4


@pytest.mark.parametrize(
    "options",
    [
        {"optimize": True},
        {"restart_marker_blocks": 1},
        {"restart_marker_blocks": 7},
        {"restart_marker_rows": 1},
    ],
)
def test_tables_and_restart_markers_do_not_change_pixels(options: dict[str, object]) -> None:
    for image in [*photographs(), noise()]:
        plain, other = by_pillow(image, quality=85), by_pillow(image, quality=85, **options)
        for reduction in REDUCTIONS:
            assert np.array_equal(whole(plain, reduction), whole(other, reduction))


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (9, 7), (16, 17), (33, 100), (101, 31)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_images_of_any_size_are_decoded(size: tuple[int, int], mode: str) -> None:
    image = photographs()[0].resize((30, 30)).resize(size).convert(mode)
    for subsampling in (0, 1, 2):
        data = by_pillow(image, quality=95, subsampling=subsampling)
        for reduction in REDUCTIONS:
            ours = whole(data, reduction)
            assert ours.shape == (-(-size[1] // reduction), -(-size[0] // reduction), len(mode))
            right, bottom = 8 * (size[0] // 8), 8 * (size[1] // 8)
            expected = np.array(Image.open(io.BytesIO(data))).reshape(size[1], size[0], -1)[:bottom, :right]
            expected = without_fine_frequencies(expected, reduction)
            inside = ours[: len(expected), : expected.shape[1]]
            assert not inside.size or np.abs(inside - expected).mean() < 3


def test_parts_equal_those_of_the_whole_image_whatever_else_is_requested() -> None:
    data = by_pillow(photographs()[0], quality=90)
    random = np.random.default_rng(0)
    parts = []
    for reduction in random.choice(REDUCTIONS, 30).tolist():
        (top, bottom), (left, right) = (
            sorted(random.choice(side // reduction + 1, 2, replace=False).tolist()) for side in (416, 632)
        )
        parts.append(Part(reduction, top, left, bottom - top, right - left))
    images = {reduction: whole(data, reduction) for reduction in REDUCTIONS}
    for chosen in (parts[:1], parts[1:3], parts):
        for part, pixels in zip(chosen, decoder.decode_parts(data, chosen), strict=True):
            rows, columns = slice(part.top, part.top + part.height), slice(part.left, part.left + part.width)
            assert np.array_equal(pixels, images[part.reduction][rows, columns])


PHOTO = photographs((200, 120))[0]
PLAIN = by_pillow(PHOTO)


@pytest.mark.parametrize(
    "data",
    [
        by_pillow(PHOTO, progressive=True),
        by_pillow(PHOTO.convert("CMYK")),
        simplejpeg.encode_jpeg(np.array(PHOTO), 90, colorsubsampling="411"),
        PLAIN[: len(PLAIN) // 2],
        PLAIN[:-2],
        PLAIN[:100],
        b"\xff\xd8",
        # A frame that says that one component is missing.
        PLAIN.replace(b"\x08\x00\x78\x00\xc8\x03", b"\x08\x00\x78\x00\xc8\x02"),
    ],
)
def test_unsupported_and_broken_files_are_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedError):
        decoder.decode_parts(data, [Part(2, 0, 0, 60, 100)])


def test_an_image_that_ends_early_is_refused() -> None:
    higher = PLAIN.replace(b"\x08\x00\x78\x00\xc8\x03", b"\x08\x00\x98\x00\xc8\x03")
    with pytest.raises(UnsupportedError, match="broken"):
        decoder.decode_parts(higher, [Part(2, 60, 0, 16, 100)])


@pytest.mark.parametrize("part", [Part(2, 0, 0, 61, 100), Part(8, 10, 0, 6, 5), Part(4, -1, 0, 5, 5)])
def test_parts_outside_of_the_image_are_refused(part: Part) -> None:
    with pytest.raises(UnsupportedError, match="size"):
        decoder.decode_parts(PLAIN, [part])


def test_damage_below_the_last_part_is_ignored() -> None:
    end = len(PLAIN) - 40
    broken = PLAIN[:end] + bytes(20) + PLAIN[end + 20 :]
    part = Part(2, 0, 0, 16, 100)
    assert np.array_equal(decoder.decode_parts(broken, [part])[0], decoder.decode_parts(PLAIN, [part])[0])


def fuzz(seed: int, count: int, **environment: str) -> tuple[int, int]:
    """Decode damaged files in a separate process, which an invalid memory access may end; how many are refused."""
    done = subprocess.run(
        [sys.executable, str(FUZZING), str(seed), str(count)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    refused, decoded = map(int, done.stdout.split())
    return refused, decoded


@pytest.mark.parametrize("seed", [0, 1])
def test_damaged_files_do_not_crash_and_are_refused_if_libjpeg_refuses_them(seed: int) -> None:
    refused, decoded = fuzz(seed, 2000)
    assert refused > 500
    assert decoded > 300


@pytest.mark.slow
def test_no_file_makes_an_index_exceed_its_array(tmp_path: Path) -> None:
    """numba and the decoder check each index then; what is compiled without checks must not be taken from the cache."""
    refused, decoded = fuzz(2, 300, NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path))
    assert refused > 75
    assert decoded > 50


def test_a_part_of_another_reduction_is_refused() -> None:
    for reduction in (0, 1, 3, 16):
        with pytest.raises(UnsupportedError, match="size"):
            decoder.decode_parts(PLAIN, [Part(reduction, 0, 0, 1, 1)])
