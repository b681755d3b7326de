"""From the tensors that a backbone sees back to pictures that a person can look at."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from sslreg.views import DeferredView, stack_images, to_float

#: How far rounding may carry a level beyond [0, 1], and a constant image from being constant.
_TOLERANCE = 1e-3


def denormalize(view: DeferredView, shapes: Tensor) -> tuple[Tensor, bool]:
    """A view's images (N, C, H, W) in [0, 1], what carried them out of it undone, and whether that took a guess.

    shapes: int64 (N, 3), C, H, W of the images that the view was made of.

    Normalizing is what leaves [0, 1] as a rule, whoever wrote it: it is known by what it makes of black, gray
    and white images, and undone exactly. Where an operation leaves [0, 1] otherwise, each image is stretched between
    its lowest and its highest level; that is the guess.
    """
    pixels = view.finish("cpu")
    normalizings = _normalizings(view, shapes)
    for offset, scale in reversed(normalizings):
        pixels = (pixels - offset) / scale
    low, high = pixels.aminmax()
    if normalizings or (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
        return pixels.clamp(0.0, 1.0), False
    lowest, highest = pixels.amin((1, 2, 3), keepdim=True), pixels.amax((1, 2, 3), keepdim=True)
    return (pixels - lowest) / (highest - lowest).clamp(min=_TOLERANCE), True


def _normalizings(view: DeferredView, shapes: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Offset and scale, (N, C, 1, 1) each, of the steps that do the same to a channel everywhere and leave [0, 1]."""
    found = []
    for number, step in enumerate(view.plan.steps):
        if not step.geometry and (affine := _affine(view, shapes, number)):
            found.append(affine)
        shapes = view.draws[number].shapes
    return found


def _affine(view: DeferredView, shapes: Tensor, step: int) -> tuple[Tensor, Tensor] | None:
    """What a step does to levels, as it does it to images of one level; None if it keeps [0, 1] or is not affine."""
    results = []
    for level in (0.0, 0.5, 1.0):
        images = stack_images([torch.full(shape, level) for shape in shapes.tolist()])
        result = to_float(view.plan.run(images, view.draws, range(step, step + 1)))
        if not isinstance(result, Tensor):
            return None
        results.append(result)
    black, gray, white = (result.mean((2, 3), keepdim=True) for result in results)
    spread = max(float((result.amax((2, 3)) - result.amin((2, 3))).max()) for result in results)
    kept = black.min() >= -_TOLERANCE and white.max() <= 1 + _TOLERANCE
    bent = (gray - (black + white) / 2).abs().max() > _TOLERANCE
    scale = white - black
    return None if kept or bent or spread > _TOLERANCE or scale.abs().min() < _TOLERANCE else (black, scale)


def picture(pixels: Tensor) -> Image.Image:
    """An image (C, H, W), uint8 or in [0, 1], as gray or RGB of 8 bits; see `said_of_channels` for other numbers."""
    levels = pixels if pixels.dtype == torch.uint8 else (pixels * 255).round().clamp(0, 255).to(torch.uint8)
    if len(levels) == 1:
        return Image.fromarray(levels[0].contiguous().numpy())
    if len(levels) == 2:
        levels = torch.cat((levels, torch.zeros_like(levels[:1])))
    return Image.fromarray(levels[:3].permute(1, 2, 0).contiguous().numpy())


def said_of_channels(channels: int) -> str | None:
    """What a person has to know to read pictures of so many channels."""
    if channels in (1, 3):
        return None
    if channels == 2:
        return "False color: the two channels are shown as red and green."
    return f"False color: of {channels} channels, the first three are shown as red, green and blue."
