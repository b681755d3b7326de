"""Antialiased resizing of a part of an image, mirrored or not."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

_compiled = numba.njit(nogil=True, fastmath=True)


@_compiled
def _triangles(start: float, length: float, full: int, size: int) -> Any:
    """Weights with which `size` pixels are made of the interval [start, start + length) of `full` pixels.

    A triangle whose half width is the larger of one source and one target pixel, as in Pillow and in torch. Returned
    are the first source pixel of each target pixel (size,), and the weights (taps, size), zero beyond the interval.
    """
    scale = length / size
    reach = max(scale, 1.0)
    lowest, highest = math.floor(start), min(math.ceil(start + length), full)
    first = np.empty(size, np.int32)
    weights = np.zeros((math.ceil(reach) * 2 + 1, size), np.float32)
    taps = 0
    for target in range(size):
        center = start + (target + 0.5) * scale
        low, high = max(int(center - reach + 0.5), lowest), min(int(center + reach + 0.5), highest)
        total = 0.0
        for source in range(low, high):
            total += max(0.0, 1.0 - abs((source + 0.5 - center) / reach))
        for source in range(low, high):
            weights[source - low, target] = max(0.0, 1.0 - abs((source + 0.5 - center) / reach)) / total
        first[target] = low
        taps = max(taps, high - low)
    return first, np.ascontiguousarray(weights[:taps])


@numba.njit(nogil=True, fastmath=True, cache=True)
def resample(images: NDArray[Any], boxes: NDArray[Any], flips: NDArray[Any], out: NDArray[Any]) -> None:
    """Write a part of each of `images` (N, H, W, C) into `out` (N, C, h, w), both uint8 or both float32.

    boxes: float64 (N, 4), top, left, height and width of the parts, in pixels; flips: bool (N, 2), whether the result
    is turned upside down, and whether it is mirrored. Results of 8 bits are rounded.
    """
    for n in range(len(images)):
        _resample(images[n], boxes[n], flips[n, 0], flips[n, 1], out[n])


@_compiled
def _resample(image: NDArray[Any], box: NDArray[Any], upside_down: bool, mirrored: bool, out: NDArray[Any]) -> None:
    levels = image.itemsize == 1
    channels, out_height, out_width = out.shape
    first_y, weights_y = _triangles(box[0], box[2], image.shape[0], out_height)
    first_x, weights_x = _triangles(box[1], box[3], image.shape[1], out_width)
    left, right = int(first_x.min()), min(int(first_x.max()) + len(weights_x), image.shape[1])
    # Weights of zero may point behind the last pixel.
    line = np.zeros((right - left + len(weights_x)) * channels, np.float32)
    offsets = (first_x - np.int32(left)) * np.int32(channels)
    results = np.empty((channels, out_width), np.float32)
    for y in range(out_height):
        _mix_rows(image, first_y[y], weights_y[:, y], left, right, line)
        if channels == 3:
            _mix_columns_of_three(line, offsets, weights_x, results)
        else:
            _mix_columns(line, offsets, weights_x, results)
        target = out_height - 1 - y if upside_down else y
        for channel in range(channels):
            _store(results[channel], levels, mirrored, out[channel][target])


@_compiled
def _mix_rows(
    image: NDArray[Any], first: int, weights: NDArray[Any], left: int, right: int, line: NDArray[Any]
) -> None:
    channels = image.shape[2]
    count = (right - left) * channels
    for tap in range(len(weights)):
        weight = weights[tap]
        if weight == np.float32(0.0) and tap > 0:
            continue
        row = image[first + tap].reshape(-1)[left * channels : right * channels]
        if tap == 0:
            for i in range(count):
                line[i] = weight * np.float32(row[i])
        else:
            for i in range(count):
                line[i] += weight * np.float32(row[i])


@_compiled
def _mix_columns_of_three(
    line: NDArray[Any], offsets: NDArray[Any], weights: NDArray[Any], results: NDArray[Any]
) -> None:
    red, green, blue = results[0], results[1], results[2]
    for x in range(len(offsets)):
        i, weight = offsets[x], weights[0, x]
        red[x], green[x], blue[x] = weight * line[i], weight * line[i + 1], weight * line[i + 2]
    for tap in range(1, len(weights)):
        shifted, row = line[3 * tap :], weights[tap]
        for x in range(len(offsets)):
            i, weight = offsets[x], row[x]
            red[x] += weight * shifted[i]
            green[x] += weight * shifted[i + 1]
            blue[x] += weight * shifted[i + 2]


@_compiled
def _mix_columns(line: NDArray[Any], offsets: NDArray[Any], weights: NDArray[Any], results: NDArray[Any]) -> None:
    channels = len(results)
    for channel in range(channels):
        result = results[channel]
        result[:] = np.float32(0.0)
        for tap in range(len(weights)):
            shifted, row = line[channels * tap + channel :], weights[tap]
            for x in range(len(offsets)):
                result[x] += row[x] * shifted[offsets[x]]


@_compiled
def _store(result: NDArray[Any], levels: bool, mirrored: bool, out: NDArray[Any]) -> None:
    """Write a row, rounded to levels of 8 bits or as it is."""
    last = len(out) - 1
    if mirrored:
        for x in range(len(out) // 2):
            result[x], result[last - x] = result[last - x], result[x]
    if levels:
        for x in range(len(out)):
            out[x] = np.int32(result[x] + np.float32(0.5))
    else:
        for x in range(len(out)):
            out[x] = result[x]
