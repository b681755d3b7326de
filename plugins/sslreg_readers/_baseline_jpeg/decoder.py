"""Decodes parts of a JPEG file in reduced sizes, without the work for the rest of the file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from sslreg import Part
from sslreg_readers._baseline_jpeg import entropy, huffman, pixels
from sslreg_readers._baseline_jpeg.markers import Scan, UnsupportedError, read_markers

#: The number of MCU rows that are read at a time: their coefficients stay in the second-level cache until they become
#: pixels.
_BAND = 4

Pixels = NDArray[np.uint8]


def decode_parts(data: bytes, parts: Sequence[Part]) -> list[Pixels]:
    """Decode parts of a file to (height, width, components) each: gray, or RGB if the file is YCbCr.

    Entropy-coded data are read up to the last row that a part needs. The data behind it are searched for the end of
    the image, and not checked.

    Raises:
        UnsupportedError: The file is broken, is not a baseline file of one scan, or does not contain the parts.
    """
    scan = read_markers(data)
    if not all(_contains(scan, part) for part in parts):
        raise UnsupportedError("its size is not what it seemed to be")
    reader = _CoefficientReader(data, scan)
    writers = [_PartWriter(scan, part) for part in parts]
    last = max(writer.mcu_rows.stop for writer in writers)
    for first in range(0, last, _BAND):
        rows = range(first, min(first + _BAND, last))
        reader.read(rows, writers)
        for writer in writers:
            writer.write(rows, reader.coefficients)
    if last == scan.mcu_rows:
        reader.require_end()
    return [writer.out for writer in writers]


def _contains(scan: Scan, part: Part) -> bool:
    """Return whether a part lies in the image; the compiled functions rely on it."""
    if part.reduction not in (2, 4, 8):
        return False
    height, width = -(-scan.height // part.reduction), -(-scan.width // part.reduction)
    return 0 <= part.top < part.top + part.height <= height and 0 <= part.left < part.left + part.width <= width


class _PartWriter:
    """The pixels of one part, written as coefficients become known.

    Attributes:
        mcu_rows: The rows of MCUs that the part needs, within those of the image.
        mcu_columns: Their columns.
        sizes: int64 (components, 2), the height and width in reduced pixels of a block: those of an MCU, which are 1 to
            8 for a single block and at most 16, divided by its number of blocks.
        last: int64 (components,), the last needed coefficient of a block in zigzag order.
        layout: int64 (components, 5), see `pixels.write_pixels`.
        out: uint8 (height, width, components).
    """

    def __init__(self, scan: Scan, part: Part) -> None:
        height, width = scan.mcu_height // part.reduction, scan.mcu_width // part.reduction
        self.mcu_rows = range(part.top // height, -(-(part.top + part.height) // height))
        self.mcu_columns = range(part.left // width, -(-(part.left + part.width) // width))
        self.bounds = np.array([part.top, part.left, part.top + part.height, part.left + part.width])
        self.out = np.empty((part.height, part.width, len(scan.components)), np.uint8)
        self.sizes = np.array([(height // one.vertical, width // one.horizontal) for one in scan.components])
        self.last = np.array([_last_coefficient(*size) for size in self.sizes.tolist()])
        self.layout = np.concatenate((_layout(scan), self.sizes), axis=1)
        self.down = np.zeros((len(scan.components), 8, 8, 8), np.float32)
        self.across = np.zeros((len(scan.components), 8, 8), np.float32)
        for n, (one, (h, w)) in enumerate(zip(scan.components, self.sizes.tolist(), strict=True)):
            self.down[n, :w, :h, :h], self.across[n, :w, :w] = pixels.weights(_from_zigzag(one.quantization), h, w)

    def write(self, rows: range, coefficients: NDArray[np.int16]) -> None:
        """Write the pixels of a band of MCU rows, if the part has any there."""
        if rows.start < self.mcu_rows.stop and self.mcu_rows.start < rows.stop:
            pixels.write_pixels(
                coefficients, self.layout, self.down, self.across, rows.start, len(rows), self.bounds, self.out
            )


class _CoefficientReader:
    """Reads the coefficients of one band of MCU rows after the other.

    Attributes:
        coefficients: int16 (rows, 64, blocks), those of the band that was read last.
    """

    def __init__(self, data: bytes, scan: Scan) -> None:
        self.scan = scan
        mcus = scan.mcu_rows * scan.mcu_columns
        segments = -(-mcus // (scan.restart_interval or mcus))
        if segments > len(data):
            raise UnsupportedError("it is too short for its size")
        self.ends = np.zeros(segments, np.int64)
        self.stream = np.empty(len(data) + entropy.MARGIN, np.uint8)
        if not entropy.remove_stuffing(np.frombuffer(data, np.uint8), scan.start, self.stream, self.ends):
            raise UnsupportedError("its end is missing, or markers are not where they have to be")
        # The last segment ends at most at len(data), so that MARGIN zeros follow it.
        self.stream[self.ends[-1] :][: entropy.MARGIN] = 0
        self.state = np.zeros(entropy.STATE_SIZE, np.int64)
        self.state[entropy.UNTIL_RESTART] = scan.restart_interval
        self.tables = np.concatenate([huffman.tables(one.dc, one.ac) for one in scan.components])
        layout = _layout(scan)
        self.blocks = np.array(
            [
                (component, first + y, vertical, horizontal, x)
                for component, (first, vertical, horizontal) in enumerate(layout.tolist())
                for y in range(vertical)
                for x in range(horizontal)
            ]
        )
        # Room for each block of a band: `blocks` leads to no row or column beyond. The first component has the most
        # columns, since the others are sampled at the same or at half its rate.
        rows, horizontal = int(layout[-1, 0] + _BAND * layout[-1, 1]), int(layout[0, 2])
        self.coefficients = np.empty((rows, 64, _pad_stride(scan.mcu_columns * horizontal)), np.int16)

    def read(self, rows: range, writers: Sequence[_PartWriter]) -> None:
        """Read a band of at most _BAND rows, with the coefficients that the writers need.

        Raises:
            UnsupportedError: The data are broken.
        """
        wanted = np.full((len(rows), self.scan.mcu_columns, len(self.scan.components)), -1)
        sizes = np.zeros((len(self.scan.components), 2), np.int64)
        for writer in writers:
            low, high = max(writer.mcu_rows.start - rows.start, 0), writer.mcu_rows.stop - rows.start
            if low < len(rows) and high > 0:
                part = wanted[low:high, writer.mcu_columns.start : writer.mcu_columns.stop]
                np.maximum(part, writer.last, out=part)
                np.maximum(sizes, writer.sizes, out=sizes)
        read = entropy.read_mcu_rows(
            self.stream,
            self.ends,
            self.state,
            self.scan.restart_interval,
            self.blocks,
            self.tables,
            wanted,
            _zigzag(),
            sizes,
            self.coefficients,
        )
        if not read:
            raise UnsupportedError("its entropy-coded data are broken")

    def require_end(self) -> None:
        """Check that the data end here.

        Raises:
            UnsupportedError: There are more data than the image has.
        """
        position, count = self.state[entropy.POSITION], self.state[entropy.COUNT]
        if position - (count >> 3) != self.ends[-1]:
            raise UnsupportedError("there are data behind those of the image")


def _layout(scan: Scan) -> NDArray[np.int64]:
    """Return, for each component, its first row in a band and its rows and columns of blocks in an MCU."""
    rows = np.cumsum([0] + [_BAND * one.vertical for one in scan.components])
    return np.array([(rows[n], one.vertical, one.horizontal) for n, one in enumerate(scan.components)])


def _pad_stride(count: int) -> int:
    """Return a stride of at least `count` 2-byte numbers whose multiples do not fall into few sets of a cache."""
    lines = -(-count // 32)
    return 32 * (lines + 1 - lines % 2)


@cache
def _zigzag() -> NDArray[np.int64]:
    """Return the position in a block, row by row, of each coefficient in zigzag order (figure A.6): (64,)."""
    places = [(row, column) for row in range(8) for column in range(8)]
    places.sort(key=lambda place: (sum(place), place[0] if sum(place) % 2 else place[1]))
    return np.array([8 * row + column for row, column in places])


@lru_cache(maxsize=64)
def _from_zigzag(steps: bytes) -> tuple[int, ...]:
    """Return 64 numbers, given in zigzag order, row by row."""
    return tuple(steps[k] for k in np.argsort(_zigzag()).tolist())


@cache
def _last_coefficient(height: int, width: int) -> int:
    """Return the last coefficient in zigzag order that a block of this size is computed from."""
    return max(k for k, place in enumerate(_zigzag().tolist()) if place < 8 * height and place % 8 < width)
