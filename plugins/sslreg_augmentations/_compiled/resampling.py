"""Antialiased resizing of a part of an image, mirrored or not."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

# What is kept on disk is stale once its file changes: so all that is compiled into `resample` is in this file.
_compiled = numba.njit(nogil=True, fastmath=True, error_model="numpy")

#: How many neighbors are weighed at a time.
_TAPS = 4

_LANES = ir.VectorType(ir.FloatType(), _TAPS)
_SELECTION = ir.VectorType(ir.IntType(32), _TAPS)


@numba.njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
def resample(images: NDArray[Any], boxes: NDArray[Any], flips: NDArray[Any], out: NDArray[Any]) -> None:
    """Write a part of each of `images` (N, H, W, C) into `out` (N, C, h, w), both uint8 or both float32.

    boxes: float64 (N, 4), top, left, height and width of the parts, in pixels; flips: bool (N, 2), whether the result
    is turned upside down, and whether it is mirrored. Results of 8 bits are rounded.
    """
    for n in range(len(images)):
        _resample(images[n], boxes[n], flips[n, 0], flips[n, 1], out[n])


# First along the columns, for each row of the result, since neighbors above each other are whole rows of memory; then
# along the row that this gives, which is short enough to stay in the first-level cache.


@_compiled
def _resample(image: NDArray[Any], box: NDArray[Any], upside_down: bool, mirrored: bool, out: NDArray[Any]) -> None:
    full_height, full_width, channels = image.shape
    out_height, out_width = out.shape[1:]
    first_y, weights_y = _triangles(box[0], box[2], full_height, out_height, upside_down)
    first_x, weights_x = _triangles(box[1], box[3], full_width, out_width, mirrored)
    taps = weights_x.shape[1]
    left, right = int(first_x.min()), min(int(first_x.max()) + taps, full_width)
    rows = image.reshape(full_height, full_width * channels)[:, left * channels : right * channels]
    # Weights of zero may point behind the last pixel, and a vector reaches beyond a pixel of three channels.
    line = np.zeros((right - left + taps) * channels + _TAPS, np.float32)
    results = np.empty(out_width * _TAPS if channels == 3 else out_width * channels, np.float32)
    starts, flat_weights_x = (first_x - left) * channels, weights_x.reshape(-1)
    for y in range(out_height):
        _mix_rows(rows, first_y[y], weights_y, y, line)
        if channels == 3:
            _mix_pixels_of_three(line, starts, weights_x, flat_weights_x, results)
            _store_pixels_of_three(results, y, out)
        else:
            _mix_pixels(line, starts, weights_x, channels, results)
            _store(results, y, out)


@_compiled
def _triangles(start: float, length: float, full: int, size: int, turned: bool) -> Any:
    """Weights with which `size` pixels are made of the interval [start, start + length) of `full` pixels.

    A triangle whose half width is the larger of one source and one target pixel, as in Pillow and in torch. Returned
    are the first source pixel of each target pixel (size,), and the weights (size, taps), zero beyond the interval;
    from the last to the first if the result is to be turned. The number of taps is a multiple of _TAPS.
    """
    scale = length / size
    reach = max(scale, 1.0)
    lowest, highest = math.floor(start), min(math.ceil(start + length), full)
    first = np.empty(size, np.int64)
    last = 0
    for target in range(size):
        center = start + (target + 0.5) * scale
        first[target] = max(int(center - reach + 0.5), lowest)
        last = max(last, min(int(center + reach + 0.5), highest) - first[target])
    weights = np.zeros((size, (last + _TAPS - 1) // _TAPS * _TAPS), np.float32)
    for target in range(size):
        center, low = start + (target + 0.5) * scale, first[target]
        high = min(int(center + reach + 0.5), highest)
        total = 0.0
        for source in range(low, high):
            total += max(0.0, 1.0 - abs(source + 0.5 - center) / reach)
        for source in range(low, high):
            weights[target, source - low] = max(0.0, 1.0 - abs(source + 0.5 - center) / reach) / total
    if turned:
        return first[::-1].copy(), weights[::-1].copy()
    return first, weights


@_compiled
def _mix_rows(rows: NDArray[Any], first: int, weights: NDArray[Any], y: int, line: NDArray[Any]) -> None:
    """Write into `line` the sum of `rows` (H, w·C) from the first on, by the weights of the result's row y."""
    last = len(rows) - 1
    for tap in range(0, weights.shape[1], _TAPS):
        w_0, w_1, w_2, w_3 = weights[y, tap], weights[y, tap + 1], weights[y, tap + 2], weights[y, tap + 3]
        # Behind the last row there are weights of zero alone.
        y_0, y_1 = min(first + tap, last), min(first + tap + 1, last)
        y_2, y_3 = min(first + tap + 2, last), min(first + tap + 3, last)
        kept = np.float32(0.0) if tap == 0 else np.float32(1.0)
        for i in range(rows.shape[1]):
            line[i] = (
                kept * line[i]
                + (w_0 * np.float32(rows[y_0, i]) + w_1 * np.float32(rows[y_1, i]))
                + (w_2 * np.float32(rows[y_2, i]) + w_3 * np.float32(rows[y_3, i]))
            )


# Loops over long rows become vector instructions without help. One over the three channels of a pixel does not, and a
# pixel is what resizing along a row reads: neighbors at a different place for each result. So this is written out.


@intrinsic  # type: ignore[untyped-decorator]
def _add_weighed_pixels(
    context: Any, line: Any, start: Any, step: Any, weights: Any, first: Any, results: Any, target: Any
) -> Any:
    """Add to ``results[target:][:4]`` the sum of ``weights[first + k] * line[start + k * step :][:4]`` over k < _TAPS.

    line, weights, results: float32, contiguous, of one axis. Nothing is checked: four numbers have to be there, even
    where a pixel has three channels; the fourth result then means nothing.
    """
    index = types.intp
    signature = types.void(line, index, index, weights, index, results, index)
    return signature, _emit


def _emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    line, start, step, weights, first, results, target = values
    line, weights, results = (
        context.make_array(kind)(context, builder, array).data
        for kind, array in zip(
            (signature.args[0], signature.args[3], signature.args[5]), (line, weights, results), strict=True
        )
    )
    target, weights = (
        builder.bitcast(builder.gep(array, [place]), _LANES.as_pointer())
        for array, place in ((results, target), (weights, first))
    )
    total, weights = builder.load(target, align=4), builder.load(weights, align=4)
    for tap in range(_TAPS):
        neighbor = builder.load(builder.bitcast(builder.gep(line, [start]), _LANES.as_pointer()), align=4)
        weight = builder.shuffle_vector(weights, weights, ir.Constant(_SELECTION, [tap] * _TAPS))
        total = builder.fadd(total, builder.fmul(neighbor, weight, flags=("fast",)), flags=("fast",))
        start = builder.add(start, step)
    builder.store(total, target, align=4)
    return context.get_dummy_value()


@_compiled
def _mix_pixels_of_three(
    line: NDArray[Any], starts: NDArray[Any], weights: NDArray[Any], flat_weights: NDArray[Any], results: NDArray[Any]
) -> None:
    """Write the pixels of a row into `results`, (w, _TAPS) as one axis, of which the first three are the channels."""
    size, taps = weights.shape
    results[:] = np.float32(0.0)
    for tap in range(0, taps, _TAPS):
        for x in range(size):
            _add_weighed_pixels(line, starts[x] + 3 * tap, 3, flat_weights, x * taps + tap, results, _TAPS * x)


@_compiled
def _mix_pixels(
    line: NDArray[Any], starts: NDArray[Any], weights: NDArray[Any], channels: int, results: NDArray[Any]
) -> None:
    """Write the pixels of a row into `results`, (channels, w) as one axis."""
    size, taps = weights.shape
    for channel in range(channels):
        result, shifted = results[channel * size :], line[channel:]
        for x in range(size):
            start, total = starts[x], np.float32(0.0)
            for tap in range(taps):
                total += weights[x, tap] * shifted[start + channels * tap]
            result[x] = total


@_compiled
def _store_pixels_of_three(results: NDArray[Any], y: int, out: NDArray[Any]) -> None:
    for x in range(out.shape[2]):
        if out.itemsize == 1:
            out[0, y, x] = np.int32(results[_TAPS * x] + np.float32(0.5))
            out[1, y, x] = np.int32(results[_TAPS * x + 1] + np.float32(0.5))
            out[2, y, x] = np.int32(results[_TAPS * x + 2] + np.float32(0.5))
        else:
            out[0, y, x] = results[_TAPS * x]
            out[1, y, x] = results[_TAPS * x + 1]
            out[2, y, x] = results[_TAPS * x + 2]


@_compiled
def _store(results: NDArray[Any], y: int, out: NDArray[Any]) -> None:
    """Write a row, rounded to levels where these are of 8 bits."""
    channels, _, width = out.shape
    for channel in range(channels):
        for x in range(width):
            if out.itemsize == 1:
                out[channel, y, x] = np.int32(results[channel * width + x] + np.float32(0.5))
            else:
                out[channel, y, x] = results[channel * width + x]
