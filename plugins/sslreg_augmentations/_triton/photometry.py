"""A program of photometric changes for each image of a batch, as `_compiled.photometry` runs it on the CPU.

A block of pixels is a program of Triton's, with the three colors of RGB together, and the planes of other images one by
one. Nothing on the host waits for the device.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, import-untyped"
from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from sslreg_augmentations import _opcodes
from sslreg_augmentations._color import LUMA
from sslreg_augmentations._triton.schedule import COLUMNS, table

#: Pixels of a block.
BLOCK = 1024

#: What a level of 1 is in the sums that contrast needs. They are of integers, so that no order of adding changes them.
_UNIT = 2**24

_BRIGHTNESS = tl.constexpr(_opcodes.BRIGHTNESS)
_CONTRAST = tl.constexpr(_opcodes.CONTRAST)
_SATURATION = tl.constexpr(_opcodes.SATURATION)
_HUE = tl.constexpr(_opcodes.HUE)
_GRAY = tl.constexpr(_opcodes.GRAY)
_SOLARIZE = tl.constexpr(_opcodes.SOLARIZE)
_NORMALIZE = tl.constexpr(_opcodes.NORMALIZE)

_RED, _GREEN, _BLUE = (tl.constexpr(weight) for weight in LUMA)
_FULL = tl.constexpr(float(_UNIT))

_AT = {name: tl.constexpr(number) for number, name in enumerate(COLUMNS)}
_BEGIN, _AT_CONTRAST, _STOP, _END, _RADIUS = (_AT[name] for name in ("begin", "contrast", "stop", "end", "radius"))
_CONTRASTED, _CHANGED, _BLURRED = (_AT[name] for name in ("contrasted", "changed", "blurred"))

# Triton compiles a kernel again for numbers that are 1 or multiples of 16. These change from batch to batch, and the
# bits of a result must not.
_varying = triton.jit(do_not_specialize=["row", "at", "codes"])


def build_driver() -> None:
    """Have Triton build what it launches kernels with. RuntimeError, OSError, SubprocessError: it cannot."""
    _ = triton.runtime.driver.active


def takes(images: Tensor) -> bool:
    """Whether these kernels can do the work on such images: of 8 bits or float32, on NVIDIA Ampere or newer."""
    if not images.is_cuda or torch.version.cuda is None or torch.cuda.get_device_capability(images.device) < (8, 0):
        return False
    return images.dtype in (torch.uint8, torch.float32)


def run_programs(images: Tensor, codes: Tensor, factors: Tensor, mean: Tensor, std: Tensor, reach: float) -> Tensor:
    """What its program makes of each of `images` (N, C, H, W), uint8 or float32 on a device; float32, there too.

    On the CPU: codes, factors (N, K), the instructions and their numbers; mean and std (C,), those of NORMALIZE. A BLUR
    reaches ceil(reach · sigma) pixels.
    """
    plan = table(codes, factors, mean, std, reach)
    values = plan.values.pin_memory().to(images.device, non_blocking=True) if images.is_cuda else plan.values
    out = torch.empty(images.shape, dtype=torch.float32, device=images.device)
    if not images.numel():
        return out
    source = images.contiguous()
    if source.data_ptr() % 16:
        # Triton has another kernel for a batch that does not begin at a multiple of 16 bytes.
        source = source.clone()
    channels, height, width = images.shape[1:]
    rgb = channels == 3
    planes = 1 if rgb else channels
    blocks, scale = triton.cdiv(height * width, BLOCK), 1.0 / (_UNIT * planes * height * width)
    with torch.cuda.device_of(images):  # type: ignore[no-untyped-call]
        for number, one in enumerate(plan.rounds):
            at = (number * len(COLUMNS), len(plan.rounds) * len(COLUMNS), codes.shape[1], channels, height, width)
            given: tuple[Any, ...] = (values, values.shape[1], *at)
            totals = torch.zeros(len(images), dtype=torch.int64, device=images.device)
            if count := one.contrasted_count:
                _add_up[(count * planes * blocks,)](source, totals, *given, rgb=rgb, block=BLOCK)
            if count := one.changed_count:
                _change[(count * planes * blocks,)](source, totals, out, *given, scale, rgb=rgb, block=BLOCK)
            if count := one.blurred_count:
                halfway = out.new_empty((count, *images.shape[1:]))
                _blur_rows[(count * channels * blocks,)](out, halfway, *given, block=BLOCK)
                _blur_columns[(count * planes * blocks,)](halfway, out, *given, rgb=rgb, block=BLOCK)
            source = out
    return out


@_varying
def _add_up(
    source, totals, values, row, at, codes, steps, channels, height, width, rgb: tl.constexpr, block: tl.constexpr
):  # fmt: skip
    """Add up the levels before each contrast."""
    pixels = height * width
    _, n, plane, i = _place(values, row, at + _CONTRASTED, 1 if rgb else channels, pixels, block)
    mine = values + n * row
    red, green, blue = _load(source + (n.to(tl.int64) * channels + plane) * pixels, i, pixels, rgb)
    begin, end = tl.load(mine + at + _BEGIN), tl.load(mine + at + _AT_CONTRAST)
    red, green, blue = _changed(red, green, blue, mine + codes, steps, channels, plane, begin, end, 0.0, rgb)
    levels = _RED * red + _GREEN * green + _BLUE * blue if rgb else red
    units = tl.where(i < pixels, (levels * _FULL + 0.5).to(tl.int64), 0)
    tl.atomic_add(totals + n, tl.sum(units), sem="relaxed")


@_varying
def _change(
    source, totals, out, values, row, at, codes, steps, channels, height, width, scale,
    rgb: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """Change levels, up to a blur. scale: brings totals to levels."""
    pixels = height * width
    _, n, plane, i = _place(values, row, at + _CHANGED, 1 if rgb else channels, pixels, block)
    mine = values + n * row
    first = (n.to(tl.int64) * channels + plane) * pixels
    red, green, blue = _load(source + first, i, pixels, rgb)
    begin, end = tl.load(mine + at + _BEGIN), tl.load(mine + at + _STOP)
    level = tl.load(totals + n).to(tl.float32) * scale
    red, green, blue = _changed(red, green, blue, mine + codes, steps, channels, plane, begin, end, level, rgb)
    _store(red, green, blue, out + first, i, pixels, rgb)


@_varying
def _blur_rows(
    source, halfway, values, row, at, codes, steps, channels, height, width, block: tl.constexpr
):  # fmt: skip
    """Filter along x. halfway: has the images that blur alone."""
    pixels = height * width
    slot, n, plane, i = _place(values, row, at + _BLURRED, channels, pixels, block)
    mine = values + n * row
    radius, sigma = _blur(mine, at, codes, steps)
    line, x = i // width * width, i % width
    plane_of_source = source + (n.to(tl.int64) * channels + plane) * pixels
    filtered = _filtered(plane_of_source + line, x, width, 1, radius, sigma, i < pixels)
    tl.store(halfway + (slot.to(tl.int64) * channels + plane) * pixels + i, filtered, mask=i < pixels)


@_varying
def _blur_columns(
    halfway, out, values, row, at, codes, steps, channels, height, width, rgb: tl.constexpr, block: tl.constexpr
):  # fmt: skip
    """Filter along y, and change levels up to what has to wait for all of them."""
    pixels = height * width
    slot, n, plane, i = _place(values, row, at + _BLURRED, 1 if rgb else channels, pixels, block)
    mine = values + n * row
    radius, sigma = _blur(mine, at, codes, steps)
    y, inside = i // width, i < pixels
    column = halfway + (slot.to(tl.int64) * channels + plane) * pixels + i % width
    red = _filtered(column, y, height, width, radius, sigma, inside)
    green, blue = red, red
    if rgb:
        green = _filtered(column + pixels, y, height, width, radius, sigma, inside)
        blue = _filtered(column + 2 * pixels, y, height, width, radius, sigma, inside)
    begin, end = tl.load(mine + at + _STOP) + 1, tl.load(mine + at + _END)
    red, green, blue = _changed(red, green, blue, mine + codes, steps, channels, plane, begin, end, 0.0, rgb)
    _store(red, green, blue, out + (n.to(tl.int64) * channels + plane) * pixels, i, pixels, rgb)


@triton.jit
def _place(values, row, column, planes, pixels, block: tl.constexpr):
    """What this program works on: the how-manieth of the images listed in a column, which that is, plane and pixels."""
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
def _float(place):
    return tl.load(place).to(tl.float32, bitcast=True)


@triton.jit
def _blur(mine, at, codes, steps):
    """Radius and sigma of an image's blur."""
    return tl.load(mine + at + _RADIUS), _float(mine + codes + steps + tl.load(mine + at + _STOP))


@triton.jit
def _load(plane, i, pixels, rgb: tl.constexpr):
    red = _levels(plane + i, i < pixels)
    green, blue = red, red
    if rgb:
        green, blue = _levels(plane + pixels + i, i < pixels), _levels(plane + 2 * pixels + i, i < pixels)
    return red, green, blue


@triton.jit
def _levels(place, inside):
    levels = tl.load(place, mask=inside, other=0)
    return levels.to(tl.float32) * (1 / 255) if levels.dtype == tl.uint8 else levels


@triton.jit
def _store(red, green, blue, plane, i, pixels, rgb: tl.constexpr):
    tl.store(plane + i, red, mask=i < pixels)
    if rgb:
        tl.store(plane + pixels + i, green, mask=i < pixels)
        tl.store(plane + 2 * pixels + i, blue, mask=i < pixels)


@triton.jit
def _filtered(line, place, side, stride, radius, sigma, inside):
    """Levels after a Gaussian along a line, which is reflected at its ends.

    line: where it begins, for each pixel; place: where on it the pixel is; side: its length; stride: from one of its
    pixels to the next.
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
def _changed(red, green, blue, program, steps, channels, plane, begin, end, level, rgb: tl.constexpr):
    """Levels after the instructions from `begin` to before `end`. level: the mean that a contrast is about."""
    for k in range(begin, end):
        code, factor = tl.load(program + k), _float(program + steps + k)
        if code == _BRIGHTNESS:
            red, green, blue = _scaled(red, green, blue, factor, 0.0)
        elif code == _CONTRAST:
            red, green, blue = _scaled(red, green, blue, factor, (1.0 - factor) * level)
        elif code == _SOLARIZE:
            red, green, blue = _solarized(red, factor), _solarized(green, factor), _solarized(blue, factor)
        elif code == _NORMALIZE:
            mean = program + 2 * steps + plane
            red = (red - _float(mean)) / _float(mean + channels)
            if rgb:
                green = (green - _float(mean + 1)) / _float(mean + 1 + channels)
                blue = (blue - _float(mean + 2)) / _float(mean + 2 + channels)
        elif rgb:
            if code == _HUE:
                red, green, blue = _turned(red, green, blue, factor)
            elif (code == _SATURATION) | (code == _GRAY):
                kept = tl.where(code == _GRAY, 0.0, factor)
                luma = _RED * red + _GREEN * green + _BLUE * blue
                red, green, blue = _scaled(red, green, blue, kept, (1.0 - kept) * luma)
    return red, green, blue


@triton.jit
def _scaled(red, green, blue, factor, term):
    return _clamped(factor * red + term), _clamped(factor * green + term), _clamped(factor * blue + term)


@triton.jit
def _clamped(levels):
    return tl.minimum(tl.maximum(levels, 0.0), 1.0)


@triton.jit
def _solarized(levels, threshold):
    return tl.where(levels >= threshold, 1.0 - levels, levels)


@triton.jit
def _turned(red, green, blue, shift):
    """RGB with the hue moved by `shift` turns of the color wheel, as `_color.hue_shifted` does it."""
    value = tl.maximum(red, tl.maximum(green, blue))
    chroma = value - tl.minimum(red, tl.minimum(green, blue))
    inverse = 1.0 / tl.where(chroma > 0.0, chroma, 1.0)
    sixths = tl.where(
        value == red,
        (green - blue) * inverse,
        tl.where(value == green, (blue - red) * inverse + 2.0, (red - green) * inverse + 4.0),
    )
    sixths += 6.0 * shift
    return (
        value - chroma * _share(sixths + 5.0),
        value - chroma * _share(sixths + 3.0),
        value - chroma * _share(sixths + 1.0),
    )


@triton.jit
def _share(k):
    """How far a channel is from the value, in units of chroma, k sixths of a turn on."""
    k -= 6.0 * tl.floor(k * (1 / 6))
    return _clamped(tl.minimum(k, 4.0 - k))
