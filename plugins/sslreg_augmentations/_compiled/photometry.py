"""A program of photometric changes for each image, run in one pass over it."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from sslreg_augmentations._color import LUMA
from sslreg_augmentations._instructions import BLUR, BRIGHTNESS, CONTRAST, GRAY, HUE, NORMALIZE, SATURATION, SOLARIZE

# What is kept on disk is stale once its file changes: so all that is compiled into `run_programs` is in this file.
_compiled = numba.njit(nogil=True, fastmath=True)

#: Pixels that are worked on at a time: three planes of them fit into the first-level cache.
_BLOCK = 2048

_F = np.float32
_ZERO, _ONE, _TWO, _THREE, _FOUR, _FIVE, _SIX = map(_F, range(7))
_SIXTH, _LEVEL = _F(1 / 6), _F(1 / 255)
_RED, _GREEN, _BLUE = (_F(weight) for weight in LUMA)


@numba.njit(nogil=True, fastmath=True, cache=True)
def run_programs(
    images: NDArray[Any],
    codes: NDArray[Any],
    factors: NDArray[Any],
    mean: NDArray[Any],
    std: NDArray[Any],
    reach: Any,
    out: NDArray[Any],
) -> None:
    """Write into `out` what its program makes of each of `images` (N, C, H, W), uint8 or float32; `out` is float32.

    codes, factors: (N, K), the instructions and their numbers; mean and std (C,) are those of NORMALIZE; a BLUR reaches
    ceil(reach · sigma) pixels.
    """
    count, channels, height, width = images.shape
    scratch = np.zeros((height, width), np.float32)
    for n in range(count):
        source = images[n].reshape(channels, height * width)
        _run(source, codes[n], factors[n], mean, std, reach, out[n].reshape(channels, height * width), out[n], scratch)


@_compiled
def _run(
    source: NDArray[Any],
    codes: NDArray[Any],
    factors: NDArray[Any],
    mean: NDArray[Any],
    std: NDArray[Any],
    reach: Any,
    out: NDArray[Any],
    image: NDArray[Any],
    scratch: NDArray[Any],
) -> None:
    # Contrast needs the mean of all that comes before it, and blur the neighbors; so the program runs in sections, each
    # up to the next of these.
    pixels, last = out.shape[1], len(codes)
    start, known, level, loaded = 0, 0, _ZERO, False
    while start < last or not loaded:
        end = start + known
        while end < last and codes[end] != CONTRAST and codes[end] != BLUR:
            end += 1
        before_contrast = end < last and codes[end] == CONTRAST
        total = 0.0
        for begin in range(0, pixels, _BLOCK):
            stop = min(begin + _BLOCK, pixels)
            if not loaded:
                _load(source, begin, stop, out)
            for k in range(start, end):
                _change(out, begin, stop, codes[k], factors[k], level, mean, std)
            if before_contrast:
                total += _total_luma(out, begin, stop)
        loaded = True
        start, known, level = end, int(before_contrast), _F(total / pixels)
        if start < last and not before_contrast:
            _blur(image, factors[start], reach, scratch)
            start += 1


@_compiled
def _load(source: NDArray[Any], begin: int, stop: int, out: NDArray[Any]) -> None:
    scale = _LEVEL if source.itemsize == 1 else _ONE
    for channel in range(len(out)):
        plane, target = source[channel][begin:stop], out[channel][begin:stop]
        for i in range(len(target)):
            target[i] = _F(plane[i]) * scale


@_compiled
def _total_luma(out: NDArray[Any], begin: int, stop: int) -> Any:
    total = _ZERO
    for channel in range(len(out)):
        plane, sum_of_plane = out[channel][begin:stop], _ZERO
        for i in range(len(plane)):
            sum_of_plane += plane[i]
        weight = _ONE / _F(len(out))
        if len(out) == 3:
            weight = _RED if channel == 0 else _GREEN if channel == 1 else _BLUE
        total += weight * sum_of_plane
    return total


@_compiled
def _change(
    out: NDArray[Any],
    begin: int,
    stop: int,
    code: int,
    factor: Any,
    level: Any,
    mean: NDArray[Any],
    std: NDArray[Any],
) -> None:
    """Run one instruction on some pixels of `out` (C, pixels). level: the mean that contrast is about."""
    if len(out) == 3:
        red, green, blue = out[0][begin:stop], out[1][begin:stop], out[2][begin:stop]
        if code == SATURATION:
            _saturate(red, green, blue, factor)
        elif code == HUE:
            _turn_hue(red, green, blue, factor)
        elif code == GRAY:
            _saturate(red, green, blue, _ZERO)
    for channel in range(len(out)):
        plane = out[channel][begin:stop]
        if code == BRIGHTNESS:
            _scale(plane, factor, _ZERO)
        elif code == CONTRAST:
            _scale(plane, factor, (_ONE - factor) * level)
        elif code == SOLARIZE:
            _solarize(plane, factor)
        elif code == NORMALIZE:
            _normalize(plane, mean[channel], std[channel])


@_compiled
def _scale(plane: NDArray[Any], factor: Any, term: Any) -> None:
    for i in range(len(plane)):
        plane[i] = min(max(factor * plane[i] + term, _ZERO), _ONE)


@_compiled
def _saturate(red: NDArray[Any], green: NDArray[Any], blue: NDArray[Any], factor: Any) -> None:
    rest = _ONE - factor
    for i in range(len(red)):
        r, g, b = red[i], green[i], blue[i]
        luma = rest * (_RED * r + _GREEN * g + _BLUE * b)
        red[i] = min(max(factor * r + luma, _ZERO), _ONE)
        green[i] = min(max(factor * g + luma, _ZERO), _ONE)
        blue[i] = min(max(factor * b + luma, _ZERO), _ONE)


@_compiled
def _turn_hue(red: NDArray[Any], green: NDArray[Any], blue: NDArray[Any], shift: Any) -> None:
    turn = _SIX * shift
    for i in range(len(red)):
        r, g, b = red[i], green[i], blue[i]
        value = max(r, max(g, b))
        chroma = value - min(r, min(g, b))
        inverse = _ONE / (chroma if chroma > _ZERO else _ONE)
        of_green_or_blue = (b - r) * inverse + _TWO if value == g else (r - g) * inverse + _FOUR
        sixths = ((g - b) * inverse if value == r else of_green_or_blue) + turn
        red[i] = value - chroma * _share(sixths + _FIVE)
        green[i] = value - chroma * _share(sixths + _THREE)
        blue[i] = value - chroma * _share(sixths + _ONE)


@numba.njit(nogil=True, fastmath=True, inline="always")
def _share(k: Any) -> Any:
    """How far a channel is from the value, in units of chroma, k sixths of a turn on."""
    k = k - _SIX * np.floor(k * _SIXTH)
    return min(max(min(k, _FOUR - k), _ZERO), _ONE)


@_compiled
def _solarize(plane: NDArray[Any], threshold: Any) -> None:
    for i in range(len(plane)):
        level = plane[i]
        plane[i] = _ONE - level if level >= threshold else level


@_compiled
def _normalize(plane: NDArray[Any], mean: Any, std: Any) -> None:
    inverse = _ONE / std
    term = -mean * inverse
    for i in range(len(plane)):
        plane[i] = plane[i] * inverse + term


@_compiled
def _blur(image: NDArray[Any], sigma: Any, reach: Any, scratch: NDArray[Any]) -> None:
    """Filter an image (C, H, W) by a Gaussian that reaches ceil(reach · sigma) pixels; the border is reflected.

    scratch: float32 (H, W), finite, overwritten.
    """
    height, width = scratch.shape
    radius = math.ceil(reach * sigma)
    along_x = _half_kernel(sigma, min(radius, width - 1))
    along_y = _half_kernel(sigma, min(radius, height - 1))
    line = np.zeros(width + 2 * len(along_x), np.float32)
    for channel in range(len(image)):
        plane = image[channel]
        _filter_rows(plane, along_x, line, scratch)
        _filter_columns(scratch, along_y, plane)


@_compiled
def _half_kernel(sigma: Any, radius: int) -> Any:
    """Weights at distance 0 … radius, that sum to one over both sides; then zeros, to one more than a multiple of 3."""
    weights = np.zeros(1 + 3 * max((radius + 2) // 3, 1), np.float32)
    total = 1.0
    for distance in range(1, radius + 1):
        total += 2.0 * math.exp(-0.5 * (distance / sigma) ** 2)
    for distance in range(radius + 1):
        weights[distance] = math.exp(-0.5 * (distance / sigma) ** 2) / total
    return weights


# Three distances in one sweep over the plane: more would not fit into the registers, fewer would read and write the
# sums more often than needed. The first sweep brings the center, and keeps nothing of what was there. There is no slice
# of a row in these loops, since one costs as much as the arithmetic of a dozen pixels.


@_compiled
def _filter_rows(plane: NDArray[Any], weights: NDArray[Any], line: NDArray[Any], out: NDArray[Any]) -> None:
    height, width = plane.shape
    margin = len(weights) - 1
    center = line[margin:]
    for d in range(1, margin, 3):
        left_1, left_2, left_3 = line[margin - d :], line[margin - d - 1 :], line[margin - d - 2 :]
        right_1, right_2, right_3 = line[margin + d :], line[margin + d + 1 :], line[margin + d + 2 :]
        weight_1, weight_2, weight_3 = weights[d], weights[d + 1], weights[d + 2]
        kept, weight = (_ZERO, weights[0]) if d == 1 else (_ONE, _ZERO)
        for y in range(height):
            for x in range(width):
                center[x] = plane[y, x]
            for k in range(1, min(margin, width - 1) + 1):
                line[margin - k] = plane[y, k]
                line[margin + width - 1 + k] = plane[y, width - 1 - k]
            for x in range(width):
                out[y, x] = (
                    (kept * out[y, x] + weight * center[x])
                    + weight_1 * (left_1[x] + right_1[x])
                    + (weight_2 * (left_2[x] + right_2[x]) + weight_3 * (left_3[x] + right_3[x]))
                )


@_compiled
def _filter_columns(plane: NDArray[Any], weights: NDArray[Any], out: NDArray[Any]) -> None:
    height, width = plane.shape
    last = height - 1
    for y in range(height):
        for d in range(1, len(weights) - 1, 3):
            above_1, below_1 = min(abs(y - d), last), max(last - abs(last - y - d), 0)
            above_2, below_2 = min(abs(y - d - 1), last), max(last - abs(last - y - d - 1), 0)
            above_3, below_3 = min(abs(y - d - 2), last), max(last - abs(last - y - d - 2), 0)
            weight_1, weight_2, weight_3 = weights[d], weights[d + 1], weights[d + 2]
            kept, weight = (_ZERO, weights[0]) if d == 1 else (_ONE, _ZERO)
            for x in range(width):
                out[y, x] = (
                    (kept * out[y, x] + weight * plane[y, x])
                    + weight_1 * (plane[above_1, x] + plane[below_1, x])
                    + (
                        weight_2 * (plane[above_2, x] + plane[below_2, x])
                        + weight_3 * (plane[above_3, x] + plane[below_3, x])
                    )
                )
