"""Photometric programs, one for each image, run in one pass over it."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

import sslreg
from sslreg_augmentations._numba.vector_width import use_widest_vectors
from sslreg_augmentations._opcodes import BLUR, BRIGHTNESS, CONTRAST, GRAY, HUE, NORMALIZE, SATURATION, SOLARIZE

# numba's cache notices changes of this file only, so everything that is compiled into `run_programs` is here.
_compile = numba.njit(nogil=True, fastmath=True)

#: Pixels that are processed at a time: three planes of them fit into the L1 cache.
_BLOCK = 2048

_F = np.float32
_ZERO, _ONE, _TWO, _THREE, _FOUR, _FIVE, _SIX = map(_F, range(7))
_SIXTH, _LEVEL = _F(1 / 6), _F(1 / 255)
#: Colors with a smaller chroma count as gray.
_LEAST_CHROMA = _F(1e-30)
_RED, _GREEN, _BLUE = (_F(weight) for weight in sslreg.LUMA)


@sslreg.cache_kernel
@numba.njit(nogil=True, fastmath=True)
def run_programs(
    images: NDArray[Any],
    codes: NDArray[Any],
    factors: NDArray[Any],
    mean: NDArray[Any],
    std: NDArray[Any],
    reach: Any,
    out: NDArray[Any],
) -> None:
    """Run a program on each image.

    Args:
        images: (N, C, H, W), uint8 or float32.
        codes: (N, K), the opcodes of the programs.
        factors: (N, K), their factors.
        mean: (C,), of NORMALIZE.
        std: (C,), of NORMALIZE.
        reach: a BLUR reaches ceil(reach · sigma) pixels.
        out: float32 (N, C, H, W), the results.
    """
    use_widest_vectors()
    count, width = len(images), images.shape[3]
    rows = max(_BLOCK // width, 1)
    work = np.empty(images.shape[1:] if (codes == BLUR).any() else (0, 0, 0), np.float32)
    for n in range(count):
        _run(images[n], codes[n], factors[n], mean, std, reach, rows, out[n], work)


@_compile
def _run(
    source: NDArray[Any],
    codes: NDArray[Any],
    factors: NDArray[Any],
    mean: NDArray[Any],
    std: NDArray[Any],
    reach: Any,
    rows: int,
    out: NDArray[Any],
    work: NDArray[Any],
) -> None:
    """Run a program on an image (C, H, W), some rows at a time. work: as large as `out`, if there is a blur."""
    use_widest_vectors()
    # Contrast needs the mean of all levels before it, and blur the neighbors, so the program runs in sections that
    # begin with one of these. A blur reads the result of the section before it and writes to the other
    # buffer; the buffers alternate so that the last section writes to `out`.
    channels, height, width = out.shape
    last, blurs = len(codes), np.sum(codes == BLUR)
    position, level, loaded = 0, _ZERO, False
    while position < last or not loaded:
        blurred = loaded and codes[position] == BLUR
        blurs -= blurred
        target, other = (out, work) if blurs % 2 == 0 else (work, out)
        start, end = position + blurred, position + loaded
        while end < last and codes[end] != CONTRAST and codes[end] != BLUR:
            end += 1
        if blurred:
            along_x = _half_kernel(factors[position], reach, width)
            along_y = _half_kernel(factors[position], reach, height)
        before_contrast = end < last and codes[end] == CONTRAST
        total, flat = 0.0, target.reshape(channels, height * width)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            if not loaded:
                _load(source, top, bottom, target)
            elif blurred:
                _blur(other, along_x, along_y, top, bottom, target)
            for k in range(start, end):
                _run_instruction(flat, top * width, bottom * width, codes[k], factors[k], level, mean, std)
            if before_contrast:
                total += _sum_luma(flat, top * width, bottom * width)
        position, level, loaded = end, _F(total / (height * width)), True


@_compile
def _load(source: NDArray[Any], top: int, bottom: int, out: NDArray[Any]) -> None:
    use_widest_vectors()
    scale = _LEVEL if source.itemsize == 1 else _ONE
    for channel in range(len(out)):
        plane, target = source[channel], out[channel]
        for y in range(top, bottom):
            for x in range(plane.shape[1]):
                target[y, x] = _F(plane[y, x]) * scale


@_compile
def _sum_luma(out: NDArray[Any], begin: int, stop: int) -> Any:
    use_widest_vectors()
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


@_compile
def _run_instruction(
    out: NDArray[Any],
    begin: int,
    stop: int,
    code: int,
    factor: Any,
    level: Any,
    mean: NDArray[Any],
    std: NDArray[Any],
) -> None:
    """Run one instruction on some pixels of `out` (C, pixels). level: the mean level, for contrast."""
    use_widest_vectors()
    if len(out) == 3:
        red, green, blue = out[0][begin:stop], out[1][begin:stop], out[2][begin:stop]
        if code == SATURATION:
            _saturate(red, green, blue, factor)
        elif code == HUE:
            _shift_hue(red, green, blue, factor)
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


@_compile
def _scale(plane: NDArray[Any], factor: Any, term: Any) -> None:
    use_widest_vectors()
    for i in range(len(plane)):
        plane[i] = min(max(factor * plane[i] + term, _ZERO), _ONE)


@_compile
def _saturate(red: NDArray[Any], green: NDArray[Any], blue: NDArray[Any], factor: Any) -> None:
    use_widest_vectors()
    rest = _ONE - factor
    for i in range(len(red)):
        r, g, b = red[i], green[i], blue[i]
        luma = rest * (_RED * r + _GREEN * g + _BLUE * b)
        red[i] = min(max(factor * r + luma, _ZERO), _ONE)
        green[i] = min(max(factor * g + luma, _ZERO), _ONE)
        blue[i] = min(max(factor * b + luma, _ZERO), _ONE)


@_compile
def _shift_hue(red: NDArray[Any], green: NDArray[Any], blue: NDArray[Any], shift: Any) -> None:
    use_widest_vectors()
    turn = _SIX * shift
    for i in range(len(red)):
        r, g, b = red[i], green[i], blue[i]
        value = max(r, max(g, b))
        chroma = value - min(r, min(g, b))
        # The inverse of a denormal number, which a narrow blur makes of black, is infinite.
        inverse = _ONE / (chroma if chroma > _LEAST_CHROMA else _ONE)
        of_green_or_blue = (b - r) * inverse + _TWO if value == g else (r - g) * inverse + _FOUR
        sixths = ((g - b) * inverse if value == r else of_green_or_blue) + turn
        red[i] = value - chroma * _hue_weight(sixths + _FIVE)
        green[i] = value - chroma * _hue_weight(sixths + _THREE)
        blue[i] = value - chroma * _hue_weight(sixths + _ONE)


@numba.njit(nogil=True, fastmath=True, inline="always")
def _hue_weight(k: Any) -> Any:
    """Return the distance of a channel from the HSV value, in units of chroma, at hue k (sixths of a turn)."""
    k = k - _SIX * np.floor(k * _SIXTH)
    return min(max(min(k, _FOUR - k), _ZERO), _ONE)


@_compile
def _solarize(plane: NDArray[Any], threshold: Any) -> None:
    use_widest_vectors()
    for i in range(len(plane)):
        level = plane[i]
        plane[i] = _ONE - level if level >= threshold else level


@_compile
def _normalize(plane: NDArray[Any], mean: Any, std: Any) -> None:
    use_widest_vectors()
    inverse = _ONE / std
    term = -mean * inverse
    for i in range(len(plane)):
        plane[i] = plane[i] * inverse + term


@_compile
def _half_kernel(sigma: Any, reach: Any, size: int) -> Any:
    """Return the weights of a Gaussian at distance 0 … ceil(reach · sigma), which sum to one over both sides.

    The largest distance is at most size - 1. Zeros pad the number of weights to one more than a multiple of three.
    """
    use_widest_vectors()
    radius = min(math.ceil(reach * sigma), size - 1)
    weights = np.zeros(1 + 3 * max((radius + 2) // 3, 1), np.float32)
    total = 1.0
    for distance in range(1, radius + 1):
        total += 2.0 * math.exp(-0.5 * (distance / sigma) ** 2)
    for distance in range(radius + 1):
        weights[distance] = math.exp(-0.5 * (distance / sigma) ** 2) / total
    return weights


# One sweep covers three distances: more do not fit into the registers, fewer read and write the sums more often. The
# first sweep adds the center and overwrites the result. The loops do not slice rows, since a slice costs as much as
# the arithmetic of a dozen pixels.


@_compile
def _blur(
    image: NDArray[Any], along_x: NDArray[Any], along_y: NDArray[Any], top: int, bottom: int, out: NDArray[Any]
) -> None:
    """Filter some rows of an image (C, H, W) into `out`; the border is reflected."""
    use_widest_vectors()
    width = image.shape[2]
    margin = len(along_x) - 1
    lines = np.zeros((bottom - top, margin + width + margin), np.float32)
    for channel in range(len(image)):
        _filter_columns(image[channel], along_y, top, margin, lines)
        for y in range(bottom - top):
            for k in range(1, min(margin, width - 1) + 1):
                lines[y, margin - k] = lines[y, margin + k]
                lines[y, margin + width - 1 + k] = lines[y, margin + width - 1 - k]
        _filter_rows(lines, along_x, out[channel][top:bottom])


@_compile
def _filter_columns(plane: NDArray[Any], weights: NDArray[Any], top: int, margin: int, out: NDArray[Any]) -> None:
    """Filter the rows from `top` on along y, into `out` after a margin."""
    use_widest_vectors()
    height, width = plane.shape
    last, shift = height - 1, np.uintp(margin)
    for row in range(len(out)):
        y = top + row
        for d in range(1, len(weights) - 1, 3):
            above_1, below_1 = min(abs(y - d), last), max(last - abs(last - y - d), 0)
            above_2, below_2 = min(abs(y - d - 1), last), max(last - abs(last - y - d - 1), 0)
            above_3, below_3 = min(abs(y - d - 2), last), max(last - abs(last - y - d - 2), 0)
            weight_1, weight_2, weight_3 = weights[d], weights[d + 1], weights[d + 2]
            for x in range(np.uintp(width)):
                start = weights[0] * plane[y, x] if d == 1 else out[row, x + shift]
                out[row, x + shift] = (
                    start
                    + weight_1 * (plane[above_1, x] + plane[below_1, x])
                    + (
                        weight_2 * (plane[above_2, x] + plane[below_2, x])
                        + weight_3 * (plane[above_3, x] + plane[below_3, x])
                    )
                )


@_compile
def _filter_rows(lines: NDArray[Any], weights: NDArray[Any], out: NDArray[Any]) -> None:
    """Filter along x. lines: the rows of `out`, with len(weights) - 1 more pixels at each side."""
    use_widest_vectors()
    height, width = out.shape
    margin = len(weights) - 1
    center = np.uintp(margin)
    for d in range(1, margin, 3):
        left_1, left_2, left_3 = np.uintp(margin - d), np.uintp(margin - d - 1), np.uintp(margin - d - 2)
        right_1, right_2, right_3 = np.uintp(margin + d), np.uintp(margin + d + 1), np.uintp(margin + d + 2)
        weight_1, weight_2, weight_3 = weights[d], weights[d + 1], weights[d + 2]
        for y in range(height):
            for x in range(np.uintp(width)):
                start = weights[0] * lines[y, x + center] if d == 1 else out[y, x]
                out[y, x] = (
                    start
                    + weight_1 * (lines[y, x + left_1] + lines[y, x + right_1])
                    + (
                        weight_2 * (lines[y, x + left_2] + lines[y, x + right_2])
                        + weight_3 * (lines[y, x + left_3] + lines[y, x + right_3])
                    )
                )
