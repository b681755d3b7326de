"""Antialiased resizing of a part of an image, flipped or not."""

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

import sslreg
from sslreg_augmentations._numba.vector_width import use_widest_vectors

# numba's cache notices changes of this file only, so everything that is compiled into `resample` is here.
_compile = numba.njit(nogil=True, fastmath=True, error_model="numpy")

#: Source rows that are summed in one sweep.
_ROWS = 4

#: Numbers of a row that a loop processes at a time.
_UNROLLED = 32

#: RGB pixels that are computed at a time, in each of two rows.
_PIXELS = 4


@sslreg.cache_kernel
@numba.njit(nogil=True, fastmath=True, error_model="numpy")
def resample(images: NDArray[Any], boxes: NDArray[Any], flips: NDArray[Any], out: NDArray[Any]) -> None:
    """Resize a part of each image; uint8 results are rounded.

    Args:
        images: (N, H, W, C), uint8 or float32.
        boxes: float64 (N, 4), top, left, height and width of the parts, in pixels.
        flips: bool (N, 2), whether to flip vertically and horizontally.
        out: (N, C, h, w), the results, of the same type.
    """
    use_widest_vectors()
    # Zero weights may point past the last pixel, and a vector reaches past an RGB pixel.
    lines = np.zeros((2, 2 * images.shape[2] * images.shape[3] + _PIXELS), np.float32)
    for n in range(len(images)):
        _resample(images[n], boxes[n], flips[n, 0], flips[n, 1], lines[0], lines[1], out[n])


# First along the columns, for two rows of the result, where the source is whole rows of memory; then along the two rows
# of sums, which are short enough to stay in the L1 cache.


@_compile
def _resample(
    image: NDArray[Any],
    box: NDArray[Any],
    flip_vertically: bool,
    flip_horizontally: bool,
    upper: NDArray[Any],
    lower: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """Resize a part of an image (H, W, C). upper, lower: buffers for two rows, finite, overwritten."""
    use_widest_vectors()
    full_height, full_width, channels = image.shape
    out_height, out_width = out.shape[1:]
    first_y, weights_y = _triangle_weights(box[0], box[2], full_height, out_height, flip_vertically, _ROWS)
    first_x, weights_x = _triangle_weights(box[1], box[3], full_width, out_width, flip_horizontally, 1)
    taps = len(weights_x)
    # Numbers that do not fill a vector would be summed one by one, which takes longer than summing more of them.
    length = ((int(first_x.max()) + taps - int(first_x.min())) * channels + _UNROLLED - 1) // _UNROLLED * _UNROLLED
    end = min(int(first_x.min()) * channels + length, full_width * channels)
    begin = max(end - length, 0)
    rows = image.reshape(full_height, full_width * channels)[:, begin:end]
    starts = first_x * channels - begin
    for y in range(0, out_height, 2):
        below = min(y + 1, out_height - 1)
        _sum_rows(rows, first_y[y], weights_y, y, upper)
        _sum_rows(rows, first_y[below], weights_y, below, lower)
        if channels == 3 and out_width >= _PIXELS:
            _sum_rgb_pixels(upper, lower, starts, weights_x, y, below, out)
        else:
            _sum_pixels(upper, starts, weights_x, y, out)
            _sum_pixels(lower, starts, weights_x, below, out)


@_compile
def _triangle_weights(start: float, length: float, full: int, size: int, flipped: bool, step: int) -> Any:
    """Return the weights that compute `size` pixels from the interval [start, start + length) of `full` pixels.

    The weights are a triangle whose half width is the larger of one source and one target pixel, as in Pillow.

    Returns:
        The first source pixel of each target pixel (size,), and the weights (taps, size), zero beyond the interval; in
        reverse order if the result is flipped. The number of taps is a multiple of `step`.
    """
    scale = length / size
    reach = max(scale, 1.0)
    lowest, highest = math.floor(start), min(math.ceil(start + length), full)
    first, behind = np.empty(size, np.int64), np.empty(size, np.int64)
    for place in range(size):
        center = start + (_target_index(place, size, flipped) + 0.5) * scale
        first[place] = max(int(center - reach + 0.5), lowest)
        behind[place] = min(int(center + reach + 0.5), highest)
    taps = (behind - first).max()
    weights = np.zeros(((taps + step - 1) // step * step, size), np.float32)
    slope = 1.0 / reach
    for place in range(size):
        distance = first[place] + 0.5 - (start + (_target_index(place, size, flipped) + 0.5) * scale)
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


@_compile
def _target_index(place: int, size: int, flipped: bool) -> int:
    """Return which target pixel is at a place of the result."""
    return size - 1 - place if flipped else place


@_compile
def _sum_rows(rows: NDArray[Any], first: int, weights: NDArray[Any], y: int, line: NDArray[Any]) -> None:
    """Write the weighted sum of `rows` (H, w·C) from the first on into `line`; the weights are those of row y."""
    use_widest_vectors()
    last = len(rows) - 1
    for tap in range(0, len(weights), _ROWS):
        w_0, w_1, w_2, w_3 = weights[tap, y], weights[tap + 1, y], weights[tap + 2, y], weights[tap + 3, y]
        # All weights past the last row are zero.
        y_0, y_1 = min(first + tap, last), min(first + tap + 1, last)
        y_2, y_3 = min(first + tap + 2, last), min(first + tap + 3, last)
        keep = np.float32(0.0) if tap == 0 else np.float32(1.0)
        for i in range(rows.shape[1]):
            line[i] = (
                keep * line[i]
                + (w_0 * np.float32(rows[y_0, i]) + w_1 * np.float32(rows[y_1, i]))
                + (w_2 * np.float32(rows[y_2, i]) + w_3 * np.float32(rows[y_3, i]))
            )


@_compile
def _sum_pixels(line: NDArray[Any], starts: NDArray[Any], weights: NDArray[Any], y: int, out: NDArray[Any]) -> None:
    """Write row y of the result, with any number of channels; uint8 is rounded. weights: (taps, w)."""
    channels, _, width = out.shape
    for channel in range(channels):
        shifted = line[channel:]
        for x in range(width):
            start, total = starts[x], np.float32(0.0)
            for tap in range(len(weights)):
                total += weights[tap, x] * shifted[start + channels * tap]
            out[channel, y, x] = np.int32(total + np.float32(0.5)) if out.itemsize == 1 else total


@_compile
def _sum_rgb_pixels(
    upper: NDArray[Any],
    lower: NDArray[Any],
    starts: NDArray[Any],
    weights: NDArray[Any],
    y: int,
    below: int,
    out: NDArray[Any],
) -> None:
    """Write two rows of an RGB result. weights: (taps, w)."""
    _, height, width = out.shape
    flat = out.reshape(-1)
    for step in range(0, width, _PIXELS):
        # The last pixels of a row may be computed twice.
        x = min(step, width - _PIXELS)
        _four_pixels(upper, lower, starts, weights, x, flat, y * width + x, below * width + x, height * width)


# LLVM vectorizes loops over long rows, but not one over the three channels of a pixel, and resizing along a row reads
# pixels: neighbors at a different place for each result. So this is written in LLVM's instructions, for vectors that
# hold a pixel of the upper row and one of the lower row, each with its three channels and a spare number.

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

    The first channel goes to ``out[place + n]``, each further channel one `plane` after it; the sums of `lower` go to
    `place_below`. upper, lower and weights are float32, starts is int64; out is float32, or uint8 and then rounded. All
    arrays are contiguous. Nothing is checked: each pixel must be followed by a fourth number.
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
            pair = _shuffle(builder, above, below, range(8))
            factor = _splat(builder, builder.load(_at(builder, weights.data, weight, n)))
            product = builder.fmul(pair, factor, flags=("fast",))
            builder.store(builder.fadd(builder.load(sums[n]), product, flags=("fast",)), sums[n])
    pairs = [builder.load(total) for total in sums]
    for channel in range(3):
        # Two pixels each: both of the upper row, then both of the lower.
        left, right = (
            _shuffle(builder, first, second, [channel, 8 + channel, 4 + channel, 12 + channel])
            for first, second in (pairs[:2], pairs[2:])
        )
        row = _shuffle(builder, left, right, [0, 1, 4, 5, 2, 3, 6, 7])
        if signature.args[5].dtype == types.uint8:
            half = _splat(builder, ir.Constant(_FLOAT, 0.5))
            rounded = builder.fptosi(builder.fadd(row, half), ir.VectorType(ir.IntType(32), 8))
            row = builder.trunc(rounded, ir.VectorType(_BYTE, 8))
        for start, lanes in ((place, range(4)), (place_below, range(4, 8))):
            target = _at(builder, out.data, start, builder.mul(plane, ir.Constant(plane.type, channel)))
            part = _shuffle(builder, row, row, lanes)
            builder.store(part, builder.bitcast(target, part.type.as_pointer()), align=1)
    return context.get_dummy_value()


def _at(builder: Any, array: Any, start: Any, offset: Any) -> Any:
    """Return a pointer to ``array[start + offset]``."""
    offset = ir.Constant(start.type, offset) if isinstance(offset, int) else offset
    return builder.gep(array, [builder.add(start, offset)])


def _load(builder: Any, kind: Any, pointer: Any) -> Any:
    return builder.load(builder.bitcast(pointer, kind.as_pointer()), align=4)


def _shuffle(builder: Any, one: Any, other: Any, lanes: Sequence[int]) -> Any:
    """Return a vector of some lanes of two vectors; the lanes of the second follow those of the first."""
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes)))


def _splat(builder: Any, number: Any) -> Any:
    """Return a vector of eight times the same number."""
    one = builder.insert_element(ir.Constant(_PIXEL_PAIR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return _shuffle(builder, one, one, [0] * 8)
