"""Photographs decoded at a reduced size, and only where the views read them.

The views draw before, for the size of the file, so reduction does not change what they draw. A half, a quarter or an
eighth of the size leaves out the high frequencies, which takes less time and much less memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Images
from sslreg.contracts.augmentation_protocols import DecodingRequest
from sslreg.contracts.reader import Part
from sslreg.errors import UserError
from sslreg.images import EncodedImage, TransparentImage
from sslreg.images.channels import Color
from sslreg.phase_clock import count_loading
from sslreg.views.image_stacking import shapes_of
from sslreg.views.plan import ViewPlan
from sslreg.views.steps import Draw

#: Factors by which an image may be reduced, in rising order.
_REDUCTIONS = (2, 4, 8)


#: Where pixels are in an image: the factor by which it was reduced, and their top and left in reduced pixels.
_Position = tuple[int, int, int]


@dataclass(frozen=True)
class DecodedView:
    """N images decoded as far as one view needs them, and the view's draws with params for these images."""

    images: Images
    draws: list[Draw]


def decode_for_views(
    images: Tensor | Sequence[Tensor | EncodedImage | TransparentImage],
    plans: Sequence[ViewPlan],
    draws: Sequence[list[Draw]],
    draw_backgrounds: Callable[[int], Sequence[Color]],
) -> tuple[list[DecodedView], dict[int, UserError]]:
    """Decode N images for V views.

    Args:
        images: pixels, or images that are not decoded yet.
        plans: V plans.
        draws: for each plan its draws, for images in full size.
        draw_backgrounds: draws the background of each image for the view of this number.

    Returns:
        The decoded images for each view, and the errors of the images that cannot be decoded, by their row. If there
        are errors, there are no views.
    """
    if isinstance(images, Tensor):
        return [DecodedView(images, of_view) for of_view in draws], {}
    encoded = torch.tensor([isinstance(image, EncodedImage) for image in images])
    sizes = shapes_of(images)[:, 1:]
    count_loading("images", len(sizes))
    count_loading("pixels", int(sizes.prod(1).sum()))
    requests: list[DecodingRequest | None] = [None] * len(plans)
    if encoded.any():
        requests = [plan.decoding_request(of_view, sizes) for plan, of_view in zip(plans, draws, strict=True)]
    reductions = _choose_reductions(requests, sizes, encoded)
    boxes = _reduce_boxes(requests, reductions)
    backgrounds: list[Sequence[Color]] = []
    if any(isinstance(image, TransparentImage) for image in images):
        backgrounds = [draw_backgrounds(view) for view in range(len(plans))]
    decoded: list[list[Tensor]] = []
    positions: list[list[_Position]] = []
    errors: dict[int, UserError] = {}
    for row, (image, factors) in enumerate(zip(images, reductions.T.tolist(), strict=True)):
        parts = []
        if min(factors) > 1:
            parts = [Part(factor, *of_view[row]) for factor, of_view in zip(factors, boxes, strict=True)]
        try:
            if isinstance(image, TransparentImage):
                pixels = [image.decode(of_view[row]) for of_view in backgrounds]
                where = [(1, 0, 0)] * len(plans)
            else:
                pixels, where = _decode(image, parts, len(plans))
        except UserError as error:
            errors[row] = error
            continue
        decoded.append(pixels)
        positions.append(where)
    if errors:
        return [], errors
    return [
        DecodedView([of_image[view] for of_image in decoded], _rescale(draws[view], request, position))
        for view, (request, position) in enumerate(zip(requests, torch.tensor(positions).unbind(1), strict=True))
    ], {}


def _choose_reductions(requests: Sequence[DecodingRequest | None], sizes: Tensor, encoded: Tensor) -> Tensor:
    """Return the factor by which each view lets each image be reduced: int64 (V, N), of 1, 2, 4 and 8.

    If one view needs all pixels of an image, the others take them, too: to decode parts again would take longer.
    """
    chosen = torch.ones(len(requests), len(sizes), dtype=torch.int64)
    for view, request in enumerate(requests):
        if request is None:
            return torch.ones_like(chosen)
        for reduction in _REDUCTIONS:
            enough = (sizes >= request.min_sizes * reduction).all(dim=1)
            chosen[view] = torch.where(encoded & enough, reduction, chosen[view])
    return chosen.where((chosen > 1).all(dim=0), 1)


def _reduce_boxes(requests: Sequence[DecodingRequest | None], reductions: Tensor) -> list[list[list[int]]]:
    """Return top, left, height and width of the part that each of V views reads of each of N images, as reduced."""
    boxes = []
    for request, factors in zip(requests, reductions[..., None], strict=True):
        if request is not None and (factors > 1).any():
            starts = request.boxes[:, :2] // factors
            stops = -(-(request.boxes[:, :2] + request.boxes[:, 2:]) // factors)
            boxes.append(torch.cat((starts, stops - starts), dim=1).tolist())
    return boxes


def _decode(image: Tensor | EncodedImage, parts: Sequence[Part], views: int) -> tuple[list[Tensor], list[_Position]]:
    """Decode an image for each view: its parts, or else all of it, at the smallest size that suffices for every view.

    parts: one for each view; empty if the image may not be reduced.
    """
    if not isinstance(image, EncodedImage):
        return [image] * views, [(1, 0, 0)] * views
    pixels = image.decode_parts(parts) if parts else None
    if pixels is not None:
        return pixels, [(part.reduction, part.top, part.left) for part in parts]
    reduction = min((part.reduction for part in parts), default=1)
    return [image.decode(reduction)] * views, [(reduction, 0, 0)] * views


def _rescale(draws: list[Draw], request: DecodingRequest | None, position: Tensor) -> list[Draw]:
    """Return a view's draws for images at positions (N, 3)."""
    reductions = position[:, 0]
    if request is None or not (reductions > 1).any():
        return draws
    return [replace(draws[0], rescaled=request.rescale(reductions, position[:, 1:])), *draws[1:]]
