"""Denormalization: from the tensors that a backbone gets back to pictures for people."""

from __future__ import annotations

from dataclasses import replace

import torch
from PIL import Image
from torch import Tensor

from sslreg.views import DeferredView, Draw, stack_images, to_float

#: The largest side of the images of one level on which a step is measured.
_MEASURED_SIDE = 32

#: A step with more values per image may draw a field, which has the size of the image.
_MOST_PARAMS = 16

#: How far rounding may move a level beyond [0, 1], and an image of one level from that level.
_TOLERANCE = 1e-3


def denormalize(view: DeferredView, shapes: Tensor) -> tuple[Tensor, bool]:
    """Bring the images of a view back into [0, 1].

    Usually a normalization is what leaves [0, 1], whoever wrote it. It is recognized by its results for black, gray and
    white images, and inverted exactly. If another operation leaves [0, 1], each image is stretched between its smallest
    and its largest level, which is a guess.

    Args:
        view: The view.
        shapes: The shapes C, H, W of the images that the view was made of, int64 (N, 3).

    Returns:
        The images (N, C, H, W), and whether they are a guess.
    """
    pixels = view.finish("cpu")
    normalizations = _find_normalizations(view, shapes)
    for offset, scale in reversed(normalizations):
        pixels = pixels.sub(offset).div_(scale)
    low, high = pixels.aminmax()
    if normalizations or (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
        return pixels.clamp_(0.0, 1.0) if normalizations else pixels.clamp(0.0, 1.0), False
    lowest, highest = pixels.amin((1, 2, 3), keepdim=True), pixels.amax((1, 2, 3), keepdim=True)
    return (pixels - lowest) / (highest - lowest).clamp(min=_TOLERANCE), True


def _find_normalizations(view: DeferredView, shapes: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return offset and scale, (N, C, 1, 1) each, of the steps that map levels of a channel affinely out of [0, 1]."""
    normalizations = []
    for number, step in enumerate(view.plan.steps):
        if not step.geometry and (affine := _fit_affine(view, shapes, number)):
            normalizations.append(affine)
        shapes = view.draws[number].shapes
    return normalizations


def _fit_affine(view: DeferredView, shapes: Tensor, step: int) -> tuple[Tensor, Tensor] | None:
    """Return a step's offset and scale, measured on images of one level; None if it keeps [0, 1] or is not affine."""
    shapes, draw = _shrink(view.draws[step], shapes)
    levels = [level for level in (0.0, 0.5, 1.0) for _ in shapes]
    images = stack_images([torch.full(shape, level) for shape, level in zip(shapes.tolist() * 3, levels, strict=True)])
    draws = [*view.draws[:step], _repeat(draw, 3), *view.draws[step + 1 :]]
    result = to_float(view.plan.run(images, draws, range(step, step + 1)))
    if not isinstance(result, Tensor):
        return None
    results = result.chunk(3)
    black, gray, white = (result.mean((2, 3), keepdim=True) for result in results)
    deviation = max(float((result.amax((2, 3)) - result.amin((2, 3))).max()) for result in results)
    keeps_range = black.min() >= -_TOLERANCE and white.max() <= 1 + _TOLERANCE
    is_curved = (gray - (black + white) / 2).abs().max() > _TOLERANCE
    scale = white - black
    if keeps_range or is_curved or deviation > _TOLERANCE or scale.abs().min() < _TOLERANCE:
        return None
    return black, scale


def _shrink(draw: Draw, shapes: Tensor) -> tuple[Tensor, Draw]:
    """Return shapes of smaller images on which a step does the same as on larger ones, and its draw for them.

    The images have one level each, so their size does not matter. A step that changes shapes, or whose params may be
    fields of the size of the images, keeps the shapes.
    """
    draws_fields = any(values[0].numel() > _MOST_PARAMS for values in draw.apply_params.values())
    if draws_fields or not torch.equal(draw.shapes, shapes):
        return shapes, draw
    small = torch.cat((shapes[:, :1], shapes[:, 1:].clamp(max=_MEASURED_SIDE)), dim=1)
    return small, replace(draw, shapes=small)


def _repeat(draw: Draw, times: int) -> Draw:
    """Return a draw for the same images several times."""
    return Draw(
        {name: torch.cat([values] * times) for name, values in draw.apply_params.items()}, draw.shapes.repeat(times, 1)
    )


def to_levels(pixels: Tensor) -> Tensor:
    """Convert images, uint8 or in [0, 1], to uint8."""
    return pixels if pixels.dtype == torch.uint8 else (pixels * 255).round_().clamp_(0, 255).to(torch.uint8)


def to_pil_image(pixels: Tensor) -> Image.Image:
    """Convert an image (C, H, W), uint8 or in [0, 1], to 8-bit gray or RGB.

    `describe_channels` says what it does with other numbers of channels.
    """
    levels = to_levels(pixels)
    if len(levels) == 1:
        return Image.fromarray(levels[0].contiguous().numpy())
    if len(levels) == 2:
        levels = torch.cat((levels, torch.zeros_like(levels[:1])))
    return Image.fromarray(levels[:3].permute(1, 2, 0).contiguous().numpy())


def describe_channels(channels: int) -> str | None:
    """Explain the colors of a picture with this number of channels; None for gray and RGB."""
    if channels in (1, 3):
        return None
    if channels == 2:
        return "False color: the two channels are shown as red and green."
    return f"False color: of {channels} channels, the first three are shown as red, green and blue."
