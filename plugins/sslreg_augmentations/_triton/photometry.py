"""Photometric programs, one for each image of a batch, as `_numba.photometry` runs them on the CPU.

An instance of a kernel processes a block of pixels: all three colors of RGB together, the planes of other images one by
one. The host never waits for the device.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, import-untyped"
from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

import sslreg
from sslreg_augmentations import _opcodes
from sslreg_augmentations._triton.schedule import COLUMNS, make_schedule

#: Pixels of a block.
BLOCK = 1024

#: A level of 1 in the sums for contrast, which are of integers, so that the order of addition does not change them.
_UNIT = 2**24

_BRIGHTNESS = tl.constexpr(_opcodes.BRIGHTNESS)
_CONTRAST = tl.constexpr(_opcodes.CONTRAST)
_SATURATION = tl.constexpr(_opcodes.SATURATION)
_HUE = tl.constexpr(_opcodes.HUE)
_GRAY = tl.constexpr(_opcodes.GRAY)
_SOLARIZE = tl.constexpr(_opcodes.SOLARIZE)
_NORMALIZE = tl.constexpr(_opcodes.NORMALIZE)

_RED, _GREEN, _BLUE = (tl.constexpr(weight) for weight in sslreg.LUMA)
_FULL = tl.constexpr(float(_UNIT))

_AT = {name: tl.constexpr(number) for number, name in enumerate(COLUMNS)}
_BEGIN, _AT_CONTRAST, _STOP, _END, _RADIUS = (_AT[name] for name in ("begin", "contrast", "stop", "end", "radius"))
_CONTRASTED, _CHANGED, _BLURRED = (_AT[name] for name in ("contrasted", "changed", "blurred"))

# Triton specializes kernels for arguments that are 1 or multiples of 16. These arguments change from batch to batch,
# and the bits of a result must not.
_jit = triton.jit(do_not_specialize=["row", "at", "codes"])


def build_driver() -> None:
    """Build the driver with which Triton launches kernels. RuntimeError, OSError, SubprocessError: it cannot."""
    _ = triton.runtime.driver.active


def supports(images: Tensor) -> bool:
    """Return whether the kernels can process the images: uint8 or float32, on NVIDIA Ampere or newer."""
    if not images.is_cuda or torch.version.cuda is None or torch.cuda.get_device_capability(images.device) < (8, 0):
        return False
    return images.dtype in (torch.uint8, torch.float32)


def run_programs(images: Tensor, codes: Tensor, factors: Tensor, mean: Tensor, std: Tensor, reach: float) -> Tensor:
    """Run a program on each image, and return the results, float32 (N, C, H, W).

    Args:
        images: (N, C, H, W), uint8 or float32 on a device.
        codes: (N, K), the opcodes, on the CPU.
        factors: (N, K), their factors, on the CPU.
        mean: (C,), of NORMALIZE, on the CPU.
        std: (C,), of NORMALIZE, on the CPU.
        reach: a BLUR reaches ceil(reach · sigma) pixels.
    """
    schedule = make_schedule(codes, factors, mean, std, reach)
    values = schedule.values.pin_memory().to(images.device, non_blocking=True) if images.is_cuda else schedule.values
    out = torch.empty(images.shape, dtype=torch.float32, device=images.device)
    if not images.numel():
        return out
    source = images.contiguous()
    if source.data_ptr() % 16:
        # Triton has a different kernel for a batch that does not begin at a multiple of 16 bytes.
        source = source.clone()
    channels, height, width = images.shape[1:]
    rgb = channels == 3
    planes = 1 if rgb else channels
    blocks, scale = triton.cdiv(height * width, BLOCK), 1.0 / (_UNIT * planes * height * width)
    with torch.cuda.device_of(images):  # type: ignore[no-untyped-call]
        for number, one in enumerate(schedule.passes):
            at = (number * len(COLUMNS), len(schedule.passes) * len(COLUMNS), codes.shape[1], channels, height, width)
            arguments: tuple[Any, ...] = (values, values.shape[1], *at)
            totals = torch.zeros(len(images), dtype=torch.int64, device=images.device)
            if count := one.contrasted_count:
                _sum_levels[(count * planes * blocks,)](source, totals, *arguments, rgb=rgb, block=BLOCK)
            if count := one.changed_count:
                _change_levels[(count * planes * blocks,)](source, totals, out, *arguments, scale, rgb=rgb, block=BLOCK)
            if count := one.blurred_count:
                halfway = out.new_empty((count, *images.shape[1:]))
                _blur_rows[(count * channels * blocks,)](out, halfway, *arguments, block=BLOCK)
                _blur_columns[(count * planes * blocks,)](halfway, out, *arguments, rgb=rgb, block=BLOCK)
            source = out
    return out


@_jit
def _sum_levels(
    source, totals, values, row, at, codes, steps, channels, height, width, rgb: tl.constexpr, block: tl.constexpr
):  # fmt: skip
    """Sum the levels before each contrast."""
    pixels = height * width
    _, n, plane, i = _locate(values, row, at + _CONTRASTED, 1 if rgb else channels, pixels, block)
    mine = values + n * row
    red, green, blue = _load(source + (n.to(tl.int64) * channels + plane) * pixels, i, pixels, rgb)
    begin, end = tl.load(mine + at + _BEGIN), tl.load(mine + at + _AT_CONTRAST)
    red, green, blue = _run_instructions(red, green, blue, mine + codes, steps, channels, plane, begin, end, 0.0, rgb)
    levels = _RED * red + _GREEN * green + _BLUE * blue if rgb else red
    units = tl.where(i < pixels, (levels * _FULL + 0.5).to(tl.int64), 0)
    tl.atomic_add(totals + n, tl.sum(units), sem="relaxed")


@_jit
def _change_levels(
    source, totals, out, values, row, at, codes, steps, channels, height, width, scale,
    rgb: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """Run the instructions up to a blur. scale: from sums to mean levels."""
    pixels = height * width
    _, n, plane, i = _locate(values, row, at + _CHANGED, 1 if rgb else channels, pixels, block)
    mine = values + n * row
    first = (n.to(tl.int64) * channels + plane) * pixels
    red, green, blue = _load(source + first, i, pixels, rgb)
    begin, end = tl.load(mine + at + _BEGIN), tl.load(mine + at + _STOP)
    level = tl.load(totals + n).to(tl.float32) * scale
    red, green, blue = _run_instructions(red, green, blue, mine + codes, steps, channels, plane, begin, end, level, rgb)
    _store(red, green, blue, out + first, i, pixels, rgb)


@_jit
def _blur_rows(
    source, halfway, values, row, at, codes, steps, channels, height, width, block: tl.constexpr
):  # fmt: skip
    """Filter along x. halfway: only the images with a blur."""
    pixels = height * width
    slot, n, plane, i = _locate(values, row, at + _BLURRED, channels, pixels, block)
    mine = values + n * row
    radius, sigma = _load_blur(mine, at, codes, steps)
    line, x = i // width * width, i % width
    plane_of_source = source + (n.to(tl.int64) * channels + plane) * pixels
    filtered = _filter(plane_of_source + line, x, width, 1, radius, sigma, i < pixels)
    tl.store(halfway + (slot.to(tl.int64) * channels + plane) * pixels + i, filtered, mask=i < pixels)


@_jit
def _blur_columns(
    halfway, out, values, row, at, codes, steps, channels, height, width, rgb: tl.constexpr, block: tl.constexpr
):  # fmt: skip
    """Filter along y, and run the instructions up to the next pass."""
    pixels = height * width
    slot, n, plane, i = _locate(values, row, at + _BLURRED, 1 if rgb else channels, pixels, block)
    mine = values + n * row
    radius, sigma = _load_blur(mine, at, codes, steps)
    y, inside = i // width, i < pixels
    column = halfway + (slot.to(tl.int64) * channels + plane) * pixels + i % width
    red = _filter(column, y, height, width, radius, sigma, inside)
    green, blue = red, red
    if rgb:
        green = _filter(column + pixels, y, height, width, radius, sigma, inside)
        blue = _filter(column + 2 * pixels, y, height, width, radius, sigma, inside)
    begin, end = tl.load(mine + at + _STOP) + 1, tl.load(mine + at + _END)
    red, green, blue = _run_instructions(red, green, blue, mine + codes, steps, channels, plane, begin, end, 0.0, rgb)
    _store(red, green, blue, out + (n.to(tl.int64) * channels + plane) * pixels, i, pixels, rgb)


@triton.jit
def _locate(values, row, column, planes, pixels, block: tl.constexpr):
    """Return the work of this instance: the position in a column's list, the image there, its plane and its pixels."""
    blocks = tl.cdiv(pixels, block)
    here = tl.program_id(0)
    slot = here // (planes * blocks)
    return (
        slot,
        tl.load(values + slot * row + column),
        here // blocks % planes,
        here % blocks * block + tl.arange(0, block),
    )


@triton.jit
def _load_float(place):
    return tl.load(place).to(tl.float32, bitcast=True)


@triton.jit
def _load_blur(mine, at, codes, steps):
    """Load radius and sigma of the blur of an image."""
    return tl.load(mine + at + _RADIUS), _load_float(mine + codes + steps + tl.load(mine + at + _STOP))


@triton.jit
def _load(plane, i, pixels, rgb: tl.constexpr):
    red = _load_levels(plane + i, i < pixels)
    green, blue = red, red
    if rgb:
        green, blue = _load_levels(plane + pixels + i, i < pixels), _load_levels(plane + 2 * pixels + i, i < pixels)
    return red, green, blue


@triton.jit
def _load_levels(place, inside):
    levels = tl.load(place, mask=inside, other=0)
    return levels.to(tl.float32) * (1 / 255) if levels.dtype == tl.uint8 else levels


@triton.jit
def _store(red, green, blue, plane, i, pixels, rgb: tl.constexpr):
    tl.store(plane + i, red, mask=i < pixels)
    if rgb:
        tl.store(plane + pixels + i, green, mask=i < pixels)
        tl.store(plane + 2 * pixels + i, blue, mask=i < pixels)


@triton.jit
def _filter(line, place, side, stride, radius, sigma, inside):
    """Filter levels by a Gaussian along a line, which is reflected at its ends.

    Args:
        line: pointers to the start of the line of each pixel.
        place: the position of each pixel on its line.
        side: the length of a line.
        stride: the step from one pixel of a line to the next.
        radius: the pixels that the filter reaches.
        sigma: the standard deviation.
        inside: which pixels exist.
    """
    total, weights = tl.load(line + place * stride, mask=inside, other=0.0), 1.0
    last = side - 1
    for distance in range(1, tl.minimum(radius, last) + 1):
        ratio = distance / sigma
        weight = tl.exp(-0.5 * ratio * ratio)
        left, right = tl.abs(place - distance), last - tl.abs(last - place - distance)
        one = tl.load(line + left * stride, mask=inside, other=0.0)
        other = tl.load(line + right * stride, mask=inside, other=0.0)
        total += weight * (one + other)
        weights += 2.0 * weight
    return total / weights


@triton.jit
def _run_instructions(red, green, blue, program, steps, channels, plane, begin, end, level, rgb: tl.constexpr):
    """Run the instructions from `begin` to before `end`. level: the mean level, for contrast."""
    for k in range(begin, end):
        code, factor = tl.load(program + k), _load_float(program + steps + k)
        if code == _BRIGHTNESS:
            red, green, blue = _scale(red, green, blue, factor, 0.0)
        elif code == _CONTRAST:
            red, green, blue = _scale(red, green, blue, factor, (1.0 - factor) * level)
        elif code == _SOLARIZE:
            red, green, blue = _solarize(red, factor), _solarize(green, factor), _solarize(blue, factor)
        elif code == _NORMALIZE:
            mean = program + 2 * steps + plane
            red = (red - _load_float(mean)) / _load_float(mean + channels)
            if rgb:
                green = (green - _load_float(mean + 1)) / _load_float(mean + 1 + channels)
                blue = (blue - _load_float(mean + 2)) / _load_float(mean + 2 + channels)
        elif rgb:
            if code == _HUE:
                red, green, blue = _shift_hue(red, green, blue, factor)
            elif (code == _SATURATION) | (code == _GRAY):
                kept = tl.where(code == _GRAY, 0.0, factor)
                luma = _RED * red + _GREEN * green + _BLUE * blue
                red, green, blue = _scale(red, green, blue, kept, (1.0 - kept) * luma)
    return red, green, blue


@triton.jit
def _scale(red, green, blue, factor, term):
    return _clamp(factor * red + term), _clamp(factor * green + term), _clamp(factor * blue + term)


@triton.jit
def _clamp(levels):
    return tl.minimum(tl.maximum(levels, 0.0), 1.0)


@triton.jit
def _solarize(levels, threshold):
    return tl.where(levels >= threshold, 1.0 - levels, levels)


@triton.jit
def _shift_hue(red, green, blue, shift):
    """Shift the hue by `shift` turns of the color wheel, like `_color.shift_hue`."""
    value = tl.maximum(red, tl.maximum(green, blue))
    chroma = value - tl.minimum(red, tl.minimum(green, blue))
    # As on the CPU: the inverse of a denormal number is infinite.
    inverse = 1.0 / tl.where(chroma > 1e-30, chroma, 1.0)
    sixths = tl.where(
        value == red,
        (green - blue) * inverse,
        tl.where(value == green, (blue - red) * inverse + 2.0, (red - green) * inverse + 4.0),
    )
    sixths += 6.0 * shift
    return (
        value - chroma * _hue_weight(sixths + 5.0),
        value - chroma * _hue_weight(sixths + 3.0),
        value - chroma * _hue_weight(sixths + 1.0),
    )


@triton.jit
def _hue_weight(k):
    """Return the distance of a channel from the HSV value, in units of chroma, at hue k (sixths of a turn)."""
    k -= 6.0 * tl.floor(k * (1 / 6))
    return _clamp(tl.minimum(k, 4.0 - k))
