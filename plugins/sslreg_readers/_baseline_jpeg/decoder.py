"""Parts of a JPEG file in reduced sizes, without the work for all the rest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from sslreg import Part
from sslreg_readers._baseline_jpeg import entropy, huffman, pixels
from sslreg_readers._baseline_jpeg.markers import Scan, UnsupportedError, read_markers

#: Rows of MCUs that are read at a time: their coefficients stay in the second-level cache until they are pixels.
_BAND = 4

Pixels = NDArray[np.uint8]


def decode_parts(data: bytes, parts: Sequence[Part]) -> list[Pixels]:
    """Parts of a file, (height, width, components) each: gray, or RGB if the file is YCbCr.

    UnsupportedError: it is broken, or not a baseline file of one scan.

    Entropy-coded data are read up to the last row that a part needs. What comes after it is looked through for the end
    of the image, and not checked.
    """
    scan = read_markers(data)
    if not all(_lies_in(scan, part) for part in parts):
        raise UnsupportedError("its size is not what it seemed to be")
    reader = _Reader(data, scan)
    drawings = [_Drawing(scan, part) for part in parts]
    last = max(drawing.mcu_rows.stop for drawing in drawings)
    for first in range(0, last, _BAND):
        rows = range(first, min(first + _BAND, last))
        reader.read(rows, drawings)
        for drawing in drawings:
            drawing.draw(rows, reader.coefficients)
    if last == scan.mcu_rows:
        reader.finish()
    return [drawing.out for drawing in drawings]


def _lies_in(scan: Scan, part: Part) -> bool:
    height, width = -(-scan.height // part.reduction), -(-scan.width // part.reduction)
    return 0 <= part.top < part.top + part.height <= height and 0 <= part.left < part.left + part.width <= width


class _Drawing:
    """The pixels of one part, drawn as coefficients become known."""

    def __init__(self, scan: Scan, part: Part) -> None:
        height, width = scan.mcu_height // part.reduction, scan.mcu_width // part.reduction
        self.mcu_rows = range(part.top // height, -(-(part.top + part.height) // height))
        self.mcu_columns = range(part.left // width, -(-(part.left + part.width) // width))
        self.bounds = np.array([part.top, part.left, part.top + part.height, part.left + part.width])
        self.out = np.empty((part.height, part.width, len(scan.components)), np.uint8)
        # Of each component, a block's height and width in reduced pixels: those of a MCU by its number of blocks.
        self.sizes = np.array([(height // one.vertical, width // one.horizontal) for one in scan.components])
        self.last = np.array([_last_coefficient(*size) for size in self.sizes.tolist()])
        self.layout = np.concatenate((_layout(scan), self.sizes), axis=1)
        self.down = np.zeros((len(scan.components), 8, 8, 8), np.float32)
        self.across = np.zeros((len(scan.components), 8, 8), np.float32)
        for n, (one, (h, w)) in enumerate(zip(scan.components, self.sizes.tolist(), strict=True)):
            self.down[n, :w, :h, :h], self.across[n, :w, :w] = pixels.weights(_in_blocks(one.quantization), h, w)

    def draw(self, rows: range, coefficients: NDArray[np.int16]) -> None:
        if rows.start < self.mcu_rows.stop and self.mcu_rows.start < rows.stop:
            pixels.write_pixels(
                coefficients, self.layout, self.down, self.across, rows.start, len(rows), self.bounds, self.out
            )


class _Reader:
    """Coefficients of a band of MCU rows after the other."""

    def __init__(self, data: bytes, scan: Scan) -> None:
        self.scan = scan
        mcus = scan.mcu_rows * scan.mcu_columns
        segments = -(-mcus // (scan.restart_interval or mcus))
        if segments > len(data):
            raise UnsupportedError("it is too short for its size")
        self.ends = np.zeros(segments, np.int64)
        self.stream = np.empty(len(data) + entropy.MARGIN, np.uint8)
        if not entropy.collect(np.frombuffer(data, np.uint8), scan.start, self.stream, self.ends):
            raise UnsupportedError("its end is missing, or markers are not where they have to be")
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
        rows, horizontal = int(layout[-1, 0] + _BAND * layout[-1, 1]), int(layout[0, 2])
        self.coefficients = np.empty((rows, 64, _odd_lines(scan.mcu_columns * horizontal)), np.int16)

    def read(self, rows: range, drawings: Sequence[_Drawing]) -> None:
        """Read a band of rows, with what the drawings want of it."""
        wanted = np.full((len(rows), self.scan.mcu_columns, len(self.scan.components)), -1)
        sizes = np.zeros((len(self.scan.components), 2), np.int64)
        for drawing in drawings:
            low, high = max(drawing.mcu_rows.start - rows.start, 0), drawing.mcu_rows.stop - rows.start
            if low < len(rows) and high > 0:
                part = wanted[low:high, drawing.mcu_columns.start : drawing.mcu_columns.stop]
                np.maximum(part, drawing.last, out=part)
                np.maximum(sizes, drawing.sizes, out=sizes)
        read = entropy.read_mcu_rows(
            self.stream,
            self.ends,
            self.state,
            self.scan.restart_interval,
            self.blocks,
            self.tables,
            wanted,
            _order(),
            sizes,
            self.coefficients,
        )
        if not read:
            raise UnsupportedError("its entropy-coded data are broken")

    def finish(self) -> None:
        """UnsupportedError: there is more than the image has."""
        position, count = self.state[entropy.POSITION], self.state[entropy.COUNT]
        if position - (count >> 3) != self.ends[-1]:
            raise UnsupportedError("there are data behind those of the image")


def _layout(scan: Scan) -> NDArray[np.int64]:
    """Of each component, the first of its rows in a band, and how many rows and columns of blocks a MCU has of it."""
    rows = np.cumsum([0] + [_BAND * one.vertical for one in scan.components])
    return np.array([(rows[n], one.vertical, one.horizontal) for n, one in enumerate(scan.components)])


def _odd_lines(count: int) -> int:
    """A number from `count` on whose multiples, in numbers of two bytes, do not share few places in a cache."""
    lines = -(-count // 32)
    return 32 * (lines + 1 - lines % 2)


@cache
def _order() -> NDArray[np.int64]:
    """Where in a block, row by row, the k-th coefficient in zigzag order is (figure A.6): (64,)."""
    places = [(row, column) for row in range(8) for column in range(8)]
    places.sort(key=lambda place: (sum(place), place[0] if sum(place) % 2 else place[1]))
    return np.array([8 * row + column for row, column in places])


@lru_cache(maxsize=64)
def _in_blocks(steps: bytes) -> tuple[int, ...]:
    """64 numbers that are given in zigzag order, row by row."""
    return tuple(steps[k] for k in np.argsort(_order()).tolist())


@cache
def _last_coefficient(height: int, width: int) -> int:
    """The last coefficient in zigzag order that a block of so many pixels is made of."""
    return max(k for k, place in enumerate(_order().tolist()) if place < 8 * height and place % 8 < width)
