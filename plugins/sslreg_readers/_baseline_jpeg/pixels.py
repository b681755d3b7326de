"""Computes pixels of a reduced size from coefficients (ITU-T T.81, annex A.3.3; JFIF 1.02); compiled by numba.

The lowest frequencies of a block are a smaller block: 4, 2 or 1 pixels wide instead of 8. Of chroma that is sampled at
half the rate, twice as many frequencies are used, so that it becomes as large as luma.

Memory safety: a file influences no index here. They depend on the layout, which has one of five forms, and on the part,
which the decoder has checked to lie in the image. Tests check each index with NUMBA_BOUNDSCHECK=1.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

import sslreg

# Types that are called as functions; literals of 64 bits would make all arithmetic 64 bits wide.
float32: Any = numba.float32
int32: Any = numba.int32
uint8: Any = numba.uint8

# numba's cache notices changes of one file only, so this file holds all that is compiled into an entry point.
_compiled = numba.njit(nogil=True, fastmath=True, error_model="numpy")


@lru_cache(maxsize=64)
def weights(steps: tuple[int, ...], height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the inverse cosine transform of a block to height x width pixels as two matrix products.

    Args:
        steps: The quantization table, row by row.
        height: Of the reduced block: 1, 2, 4 or 8.
        width: The same.

    Returns:
        float32 (width, height, height), which transforms columns of coefficients, quantization included; and
        (width, width), which transforms the rows of the result to pixels.
    """
    down = _cosines(height)[None] * np.reshape(steps, (8, 8))[:height, :width].T[:, None, :]
    return np.ascontiguousarray(down, np.float32), _cosines(width).astype(np.float32)


def _cosines(size: int) -> NDArray[Any]:
    """Return the transform of `size` frequencies to as many pixels, scaled for 8: (pixels, frequencies)."""
    frequencies, positions = np.arange(size), np.arange(size)[:, None]
    scale = np.where(frequencies == 0, np.sqrt(1 / 8), 1 / 2)
    return scale * np.cos((2 * positions + 1) * frequencies * np.pi / (2 * size))


@sslreg.cache_kernel
@numba.njit(nogil=True, fastmath=True, error_model="numpy")
def write_pixels(
    coefficients: NDArray[Any],
    layout: NDArray[Any],
    down: NDArray[Any],
    across: NDArray[Any],
    first_mcu_row: int,
    mcu_rows: int,
    part: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """Write the pixels of a part of the reduced image that lie in some rows of MCUs.

    Args:
        coefficients: int16 (rows, 64, blocks).
        layout: int64 (components, 5), for each component: its first row, its number of blocks in an MCU vertically and
            horizontally, and the height and width of a block in reduced pixels: 1, 2, 4 or 8.
        down: float32 (components, 8, 8, 8), the first of `weights`.
        across: float32 (components, 8, 8), the second.
        first_mcu_row: The first of the rows of MCUs, counted in the image.
        mcu_rows: Their number, at most the number of MCU rows that `coefficients` has.
        part: int64 (4,), top, left, bottom and right in reduced pixels.
        out: uint8 (height, width, components), the part.
    """
    components = len(layout)
    mcu_height, mcu_width = layout[0, 1] * layout[0, 3], layout[0, 2] * layout[0, 4]
    first, last = part[1] // mcu_width, -(-part[3] // mcu_width)
    # All components are as wide in reduced pixels, and the first one has the most blocks: `most` is enough for each.
    # The part lies in the image, so `last` is at most its number of MCU columns, for which `coefficients` has room.
    planes = np.empty((components, mcu_height, (last - first) * mcu_width), np.uint8)
    most = (last - first) * layout[0, 2]
    columns, lines = np.empty((64, most), np.float32), np.empty((8, most), np.float32)
    for n in range(mcu_rows):
        top = (first_mcu_row + n) * mcu_height
        # Rows within both the part and this row of MCUs: below, 0 <= y < mcu_height and y is a row of `out`.
        low, high = max(part[0] - top, 0), min(part[2] - top, mcu_height)
        if low >= high:
            continue
        for c in range(components):
            start, vertical, horizontal, height, width = layout[c]
            begin, blocks = first * horizontal, (last - first) * horizontal
            for v in range(vertical):
                row = coefficients[start + n * vertical + v]
                # x < width <= 8 and y < height <= 8: the last frequency is 8 * (height - 1) + width - 1 <= 63.
                for x in range(width):
                    for y in range(height):
                        _sum_weighted(row, x, 8, begin, down[c, x, y], height, columns[8 * y + x], blocks)
                for y in range(height):
                    for x in range(width):
                        _sum_weighted(columns, 8 * y, 1, 0, across[c, x], width, lines[x], blocks)
                    _interleave(lines, width, blocks, planes[c, v * height + y])
        for y in range(low, high):
            target = out[top + y - part[0]].reshape(-1)
            left = part[1] - first * mcu_width
            if components == 3:
                _to_rgb(planes[0, y, left:], planes[1, y, left:], planes[2, y, left:], target)
            else:
                target[:] = planes[0, y, left : left + len(target)]


#: Levels are centered at zero (A.3.1); a half is added to round them.
_MIDDLE = np.float32(128.5)


@_compiled
def _sum_weighted(
    rows: NDArray[Any],
    first: int,
    step: int,
    begin: int,
    weights: NDArray[Any],
    terms: int,
    target: NDArray[Any],
    count: int,
) -> None:
    """Write the weighted sum of 1, 2, 4 or 8 rows, `step` apart, of `count` columns from `begin` on."""
    row_0, w_0 = rows[first, begin:], weights[0]
    if terms == 1:
        for b in range(count):
            target[b] = w_0 * float32(row_0[b])
        return
    row_1, w_1 = rows[first + step, begin:], weights[1]
    if terms == 2:
        for b in range(count):
            target[b] = w_0 * float32(row_0[b]) + w_1 * float32(row_1[b])
        return
    row_2, w_2 = rows[first + 2 * step, begin:], weights[2]
    row_3, w_3 = rows[first + 3 * step, begin:], weights[3]
    for b in range(count):
        target[b] = (w_0 * float32(row_0[b]) + w_1 * float32(row_1[b])) + (
            w_2 * float32(row_2[b]) + w_3 * float32(row_3[b])
        )
    if terms == 4:
        return
    row_0, row_1, row_2, row_3 = (
        rows[first + 4 * step, begin:],
        rows[first + 5 * step, begin:],
        rows[first + 6 * step, begin:],
        rows[first + 7 * step, begin:],
    )
    w_0, w_1, w_2, w_3 = weights[4], weights[5], weights[6], weights[7]
    for b in range(count):
        target[b] += (w_0 * float32(row_0[b]) + w_1 * float32(row_1[b])) + (
            w_2 * float32(row_2[b]) + w_3 * float32(row_3[b])
        )


@_compiled
def _clip(value: Any) -> Any:
    """Round down and clip to 0 to 255."""
    return uint8(int32(min(max(value, float32(0.0)), float32(255.0))))


@_compiled
def _interleave(lines: NDArray[Any], width: int, blocks: int, target: NDArray[Any]) -> None:
    """Interleave columns of pixels. The widths are written out, which lets the compiler use vector instructions."""
    if width == 8:
        for b in range(blocks):
            target[8 * b] = _clip(lines[0, b] + _MIDDLE)
            target[8 * b + 1] = _clip(lines[1, b] + _MIDDLE)
            target[8 * b + 2] = _clip(lines[2, b] + _MIDDLE)
            target[8 * b + 3] = _clip(lines[3, b] + _MIDDLE)
            target[8 * b + 4] = _clip(lines[4, b] + _MIDDLE)
            target[8 * b + 5] = _clip(lines[5, b] + _MIDDLE)
            target[8 * b + 6] = _clip(lines[6, b] + _MIDDLE)
            target[8 * b + 7] = _clip(lines[7, b] + _MIDDLE)
    elif width == 4:
        for b in range(blocks):
            target[4 * b] = _clip(lines[0, b] + _MIDDLE)
            target[4 * b + 1] = _clip(lines[1, b] + _MIDDLE)
            target[4 * b + 2] = _clip(lines[2, b] + _MIDDLE)
            target[4 * b + 3] = _clip(lines[3, b] + _MIDDLE)
    elif width == 2:
        for b in range(blocks):
            target[2 * b] = _clip(lines[0, b] + _MIDDLE)
            target[2 * b + 1] = _clip(lines[1, b] + _MIDDLE)
    else:
        for b in range(blocks):
            target[b] = _clip(lines[0, b] + _MIDDLE)


@_compiled
def _to_rgb(luma: NDArray[Any], blues: NDArray[Any], reds: NDArray[Any], target: NDArray[Any]) -> None:
    """Convert YCbCr to RGB (JFIF 1.02, page 3). target: (3 * pixels,)."""
    for x in range(len(target) // 3):
        y = float32(luma[x]) + float32(0.5)
        blue, red = float32(blues[x]) - float32(128.0), float32(reds[x]) - float32(128.0)
        target[3 * x] = _clip(y + float32(1.402) * red)
        target[3 * x + 1] = _clip(y - float32(0.344136286) * blue - float32(0.714136286) * red)
        target[3 * x + 2] = _clip(y + float32(1.772) * blue)
