"""Antialiased resizing of a part of an image, mirrored or not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils as _cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

# What is kept on disk is stale once its file changes: so all that is compiled into `resample` is in this file.
_compiled = numba.njit(nogil=True, fastmath=True, error_model="numpy")

#: How many source rows are weighed in one sweep.
_ROWS = 4

#: How many numbers of a row the loops over it take at a time.
_UNROLLED = 32

#: How many pixels of three channels are made at a time, in each of two rows.
_PIXELS = 4


@numba.njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
def resample(images: NDArray[Any], boxes: NDArray[Any], flips: NDArray[Any], out: NDArray[Any]) -> None:
    """Write a part of each of `images` (N, H, W, C) into `out` (N, C, h, w), both uint8 or both float32.

    boxes: float64 (N, 4), top, left, height and width of the parts, in pixels; flips: bool (N, 2), whether the result
    is turned upside down, and whether it is mirrored. Results of 8 bits are rounded.
    """
    # Weights of zero may point behind the last pixel, and a vector reaches beyond a pixel of three channels.
    lines = np.zeros((2, 2 * images.shape[2] * images.shape[3] + _PIXELS), np.float32)
    for n in range(len(images)):
        _resample(images[n], boxes[n], flips[n, 0], flips[n, 1], lines[0], lines[1], out[n])


# First along the columns, for two rows of the result, since neighbors above each other are whole rows of memory; then
# along the rows that this gives, which are short enough to stay in the first-level cache.


@_compiled
def _resample(
    image: NDArray[Any],
    box: NDArray[Any],
    upside_down: bool,
    mirrored: bool,
    upper: NDArray[Any],
    lower: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """upper, lower: room for two rows, finite, overwritten."""
    full_height, full_width, channels = image.shape
    out_height, out_width = out.shape[1:]
    first_y, weights_y = _triangles(box[0], box[2], full_height, out_height, upside_down, _ROWS)
    first_x, weights_x = _triangles(box[1], box[3], full_width, out_width, mirrored, 1)
    taps = len(weights_x)
    # Numbers that do not fill a vector would be mixed one by one, which takes longer than to mix more of them.
    length = ((int(first_x.max()) + taps - int(first_x.min())) * channels + _UNROLLED - 1) // _UNROLLED * _UNROLLED
    end = min(int(first_x.min()) * channels + length, full_width * channels)
    begin = max(end - length, 0)
    rows = image.reshape(full_height, full_width * channels)[:, begin:end]
    starts = first_x * channels - begin
    for y in range(0, out_height, 2):
        below = min(y + 1, out_height - 1)
        _mix_rows(rows, first_y[y], weights_y, y, upper)
        _mix_rows(rows, first_y[below], weights_y, below, lower)
        if channels == 3 and out_width >= _PIXELS:
            _mix_pixels_of_three(upper, lower, starts, weights_x, y, below, out)
        else:
            _mix_pixels(upper, starts, weights_x, y, out)
            _mix_pixels(lower, starts, weights_x, below, out)


@_compiled
def _triangles(start: float, length: float, full: int, size: int, turned: bool, step: int) -> Any:
    """Weights with which `size` pixels are made of the interval [start, start + length) of `full` pixels.

    A triangle whose half width is the larger of one source and one target pixel, as in Pillow and in torch. Returned
    are the first source pixel of each target pixel (size,), and the weights (taps, size), zero beyond the interval;
    from the last to the first if the result is to be turned. The number of taps is a multiple of `step`.
    """
    scale = length / size
    reach = max(scale, 1.0)
    lowest, highest = math.floor(start), min(math.ceil(start + length), full)
    first, behind = np.empty(size, np.int64), np.empty(size, np.int64)
    for place in range(size):
        center = start + (_target(place, size, turned) + 0.5) * scale
        first[place] = max(int(center - reach + 0.5), lowest)
        behind[place] = min(int(center + reach + 0.5), highest)
    taps = (behind - first).max()
    weights = np.zeros(((taps + step - 1) // step * step, size), np.float32)
    slope = 1.0 / reach
    for place in range(size):
        distance = first[place] + 0.5 - (start + (_target(place, size, turned) + 0.5) * scale)
        count = behind[place] - first[place]
        total = 0.0
        for tap in range(count):
            weight = max(0.0, 1.0 - abs(distance + tap) * slope)
            weights[tap, place] = weight
            total += weight
        share = np.float32(1.0 / total)
        for tap in range(count):
            weights[tap, place] *= share
    return first, weights


@_compiled
def _target(place: int, size: int, turned: bool) -> int:
    """Which target pixel is at a place of the result."""
    return size - 1 - place if turned else place


@_compiled
def _mix_rows(rows: NDArray[Any], first: int, weights: NDArray[Any], y: int, line: NDArray[Any]) -> None:
    """Write into `line` the sum of `rows` (H, w·C) from the first on, by the weights of the result's row y."""
    last = len(rows) - 1
    for tap in range(0, len(weights), _ROWS):
        w_0, w_1, w_2, w_3 = weights[tap, y], weights[tap + 1, y], weights[tap + 2, y], weights[tap + 3, y]
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


@_compiled
def _mix_pixels(line: NDArray[Any], starts: NDArray[Any], weights: NDArray[Any], y: int, out: NDArray[Any]) -> None:
    """Write row y of the result, of any number of channels; levels of 8 bits are rounded. weights: (taps, w)."""
    channels, _, width = out.shape
    for channel in range(channels):
        shifted = line[channel:]
        for x in range(width):
            start, total = starts[x], np.float32(0.0)
            for tap in range(len(weights)):
                total += weights[tap, x] * shifted[start + channels * tap]
            out[channel, y, x] = np.int32(total + np.float32(0.5)) if out.itemsize == 1 else total


@_compiled
def _mix_pixels_of_three(
    upper: NDArray[Any],
    lower: NDArray[Any],
    starts: NDArray[Any],
    weights: NDArray[Any],
    y: int,
    below: int,
    out: NDArray[Any],
) -> None:
    """Write two rows of a result of three channels. weights: (taps, w)."""
    _, height, width = out.shape
    flat = out.reshape(-1)
    for step in range(0, width, _PIXELS):
        # The last pixels of a row may be made twice.
        x = min(step, width - _PIXELS)
        _four_pixels(upper, lower, starts, weights, x, flat, y * width + x, below * width + x, height * width)


# Loops over long rows become vector instructions without help. One over the three channels of a pixel does not, and a
# pixel is what resizing along a row reads: neighbors at a different place for each result. So this is written out, for
# vectors that hold a pixel of the upper row and below it one of the lower: each its three channels and one to spare.

# Any, since its functions are not typed.
cgutils: Any = _cgutils

_FLOAT, _BYTE = ir.FloatType(), ir.IntType(8)
_PIXEL, _PIXEL_PAIR = ir.VectorType(_FLOAT, 4), ir.VectorType(_FLOAT, 8)


def _type_four_pixels(
    context: Any,
    upper: Any,
    lower: Any,
    starts: Any,
    weights: Any,
    x: Any,
    out: Any,
    place: Any,
    place_below: Any,
    plane: Any,
) -> Any:
    """Write the sums over the taps k of ``weights[k, x + n] * upper[starts[x + n] + 3 * k :][:3]``, n < 4, to `out`.

    They go to ``out[place + n]``, the first channel, and so on after each `plane`; those of `lower` to `place_below`.
    upper, lower, weights are float32, starts is int64, out float32 or uint8, then rounded. All are contiguous, and
    nothing is checked: a fourth number has to be there behind each pixel.
    """
    index = types.intp
    signature = types.void(upper, lower, starts, weights, index, out, index, index, index)
    return signature, _emit_four_pixels


# Any, since compiled code calls it without the context.
_four_pixels: Any = intrinsic(_type_four_pixels)


def _emit_four_pixels(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    upper, lower, starts, weights, _, out, *_ = (
        context.make_array(kind)(context, builder, value) if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, values, strict=True)
    )
    x, (place, place_below, plane) = values[4], values[6:]
    taps, width = cgutils.unpack_tuple(builder, weights.shape)
    starts = [builder.load(_at(builder, starts.data, x, n)) for n in range(_PIXELS)]
    sums = [cgutils.alloca_once_value(builder, ir.Constant(_PIXEL_PAIR, None)) for _ in range(_PIXELS)]
    with cgutils.for_range(builder, taps) as tap:
        weight = builder.add(builder.mul(tap.index, width), x)
        shift = builder.mul(tap.index, ir.Constant(tap.index.type, 3))
        for n in range(_PIXELS):
            above, below = (
                _load(builder, _PIXEL, _at(builder, line.data, starts[n], shift)) for line in (upper, lower)
            )
            pair = _chosen(builder, above, below, range(8))
            factor = _repeated(builder, builder.load(_at(builder, weights.data, weight, n)))
            product = builder.fmul(pair, factor, flags=("fast",))
            builder.store(builder.fadd(builder.load(sums[n]), product, flags=("fast",)), sums[n])
    pairs = [builder.load(total) for total in sums]
    for channel in range(3):
        # Of two pixels each: both of the upper row, then both of the lower.
        left, right = (
            _chosen(builder, first, second, [channel, 8 + channel, 4 + channel, 12 + channel])
            for first, second in (pairs[:2], pairs[2:])
        )
        row = _chosen(builder, left, right, [0, 1, 4, 5, 2, 3, 6, 7])
        if signature.args[5].dtype == types.uint8:
            half = _repeated(builder, ir.Constant(_FLOAT, 0.5))
            rounded = builder.fptosi(builder.fadd(row, half), ir.VectorType(ir.IntType(32), 8))
            row = builder.trunc(rounded, ir.VectorType(_BYTE, 8))
        for start, lanes in ((place, range(4)), (place_below, range(4, 8))):
            target = _at(builder, out.data, start, builder.mul(plane, ir.Constant(plane.type, channel)))
            part = _chosen(builder, row, row, lanes)
            builder.store(part, builder.bitcast(target, part.type.as_pointer()), align=1)
    return context.get_dummy_value()


def _at(builder: Any, array: Any, start: Any, offset: Any) -> Any:
    """A pointer to ``array[start + offset]``."""
    offset = ir.Constant(start.type, offset) if isinstance(offset, int) else offset
    return builder.gep(array, [builder.add(start, offset)])


def _load(builder: Any, kind: Any, pointer: Any) -> Any:
    return builder.load(builder.bitcast(pointer, kind.as_pointer()), align=4)


def _chosen(builder: Any, one: Any, other: Any, lanes: Sequence[int]) -> Any:
    """A vector of some numbers of two vectors, which are counted through."""
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes)))


def _repeated(builder: Any, number: Any) -> Any:
    """A vector of eight times the same number."""
    one = builder.insert_element(ir.Constant(_PIXEL_PAIR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return _chosen(builder, one, one, [0] * 8)
