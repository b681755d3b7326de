"""The contract of readers; see `sslreg.Reader`."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sslreg.contracts.reader import HEAD_SIZE, Part, PartialImage, PartialReader, Pixels, Reader, Source
from sslreg.images.convert import convert_pixels
from sslreg.testing.case import Case
from sslreg.testing.checks import check

#: Data that is no image.
OTHER_DATA = (b"", b"\0" * HEAD_SIZE, b"some text\n" * 60, np.random.default_rng(0).bytes(HEAD_SIZE))

#: How far a reduced image may be, on average, from the average of the full one, in levels from 0 to 1.
TOLERANCE = 0.1


def reader_of(case: Case) -> Reader:
    reader = case.build()
    assert isinstance(reader, Reader)
    return reader


def images_of(case: Case) -> list[bytes]:
    """Return the encoded images that the test gives for a reader; the test fails if it gives none."""
    if not case.images:
        pytest.fail(
            f"{case} needs encoded images to read; give bytes or paths: "
            f'conformance.of("{case.info.distribution}", images={{"{case}": [Path("tests/image.ext")]}})',
            pytrace=False,
        )
    return [image if isinstance(image, bytes) else Path(image).read_bytes() for image in case.images]


def decode(pixels: Pixels) -> Tensor:
    """Return pixels as a run uses them, after checking their form."""
    assert isinstance(pixels, Pixels)
    assert pixels.levels.ndim == 3, f"levels are (C, H, W), not {tuple(pixels.levels.shape)}"
    name = str(pixels.levels.dtype).removeprefix("torch.")
    assert name in ("uint8", "uint16", "float32"), f"levels are uint8, uint16 or float32, not {name}"
    decoded = convert_pixels(pixels, None)
    assert decoded.float().isfinite().all()
    return decoded


@check("reader")
def needs_no_parameters(case: Case) -> None:
    case.info.load()()


@check("reader")
def reads_images(case: Case) -> None:
    reader = reader_of(case)
    for data in images_of(case):
        assert reader.matches("", data[:HEAD_SIZE]) is True, "the first bytes have to be enough"
        first, again = (decode(reader.read(Source(data))) for _ in range(2))
        assert torch.equal(first, again)


@check("reader")
def reads_files_like_bytes(case: Case) -> None:
    reader = reader_of(case)
    with tempfile.TemporaryDirectory() as folder:
        for data in images_of(case):
            path = Path(folder, "image")
            path.write_bytes(data)
            with closing(Source(path)) as source:
                assert reader.matches(source.name, source.head)
                pixels = decode(reader.read(source))
            assert torch.equal(pixels, decode(reader.read(Source(data))))


@check("reader")
def matches_nothing_else(case: Case) -> None:
    reader = reader_of(case)
    for data in OTHER_DATA:
        assert reader.matches("", data) is False, f"it matches {data[:16]!r}…, which is no image"


@check("reader")
def matches_short_heads_without_error(case: Case) -> None:
    reader = reader_of(case)
    for data in images_of(case):
        for size in range(0, min(len(data), 64)):
            assert reader.matches("", data[:size]) in (True, False)


@check("reader")
def refuses_truncated_images(case: Case) -> None:
    reader = reader_of(case)
    for data in images_of(case):
        with pytest.raises(Exception):  # noqa: B017, PT011 - a decoder may raise anything
            decode(reader.read(Source(data[: len(data) // 2])))


@check("reader")
def claims_extensions(case: Case) -> None:
    for extension in reader_of(case).extensions:
        assert extension.startswith("."), f"{extension!r}: an extension starts with a dot"
        assert extension == extension.lower(), f"{extension!r}: an extension is written in lower case"


@check("reader")
def pickles(case: Case) -> None:
    reader = reader_of(case)
    copy = pickle.loads(pickle.dumps(reader))
    for data in images_of(case):
        assert torch.equal(decode(copy.read(Source(data))), decode(reader.read(Source(data))))


@check("reader")
def reads_reduced_images(case: Case) -> None:
    for image, whole in _partial_images(case):
        assert tuple(image.shape) == tuple(whole.shape)
        assert image.dtype == whole.dtype
        assert torch.equal(decode(image.read()), whole), "`open` and `read` have to agree"
        for reduction in (2, 4, 8):
            reduced = decode(image.read(reduction))
            assert reduced.dtype == whole.dtype
            assert tuple(reduced.shape) == _reduced_shape(whole, reduction)
            assert _is_close(reduced, whole, reduction)


@check("reader")
def reads_parts(case: Case) -> None:
    for image, whole in _partial_images(case):
        _, height, width = whole.shape
        parts = [Part(r, 0, 0, -(-height // r), -(-width // r)) for r in (2, 4, 8)]
        parts += [Part(2, height // 8, width // 8, max(height // 4, 1), max(width // 4, 1))]
        found = image.read_parts(parts)
        if found is None:
            continue
        decoded = [decode(pixels) for pixels in found]
        for part, pixels in zip(parts[:3], decoded, strict=False):
            assert tuple(pixels.shape) == _reduced_shape(whole, part.reduction)
            assert _is_close(pixels, whole, part.reduction)
        last = parts[-1]
        rows, columns = slice(last.top, last.top + last.height), slice(last.left, last.left + last.width)
        assert torch.equal(decoded[-1], decoded[0][:, rows, columns]), "a part depends on what else is asked for"


def _partial_images(case: Case) -> Iterator[tuple[PartialImage, Tensor]]:
    """Yield the images that the reader opens without decoding them, and all their pixels."""
    reader = reader_of(case)
    if not isinstance(reader, PartialReader):
        case.skip("it decodes whole images only")
    for data in images_of(case):
        image = reader.open(Source(data))
        if image is not None:
            yield image, decode(reader.read(Source(data)))


def _reduced_shape(whole: Tensor, reduction: int) -> tuple[int, ...]:
    channels, height, width = whole.shape
    return channels, -(-height // reduction), -(-width // reduction)


def _is_close(reduced: Tensor, whole: Tensor, reduction: int) -> bool:
    """Return whether a reduced image is near the average of the full one, away from the last row and column."""
    top = 255 if whole.dtype == torch.uint8 else 1.0
    average = torch.nn.functional.avg_pool2d(whole[None].float() / top, reduction)[0]
    _, height, width = average.shape
    if not average.numel():
        return True
    return bool((reduced[:, :height, :width].float() / top - average).abs().mean() < TOLERANCE)
