"""Large photographs decoded in a reduced size, and no more of them than a view shows, where that is enough.

What the views draw is drawn before, for the size that the file has, so it does not change. A half, a quarter or an
eighth of the size is made by leaving out the fine frequencies, in less time and much less memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Images
from sslreg.contracts.reader import Part
from sslreg.images import EncodedImage
from sslreg.views.image_batches import shapes_of
from sslreg.views.plan import Drawn, ViewPlan

#: By how much an image may be reduced, the least first.
_REDUCTIONS = (2, 4, 8)


@dataclass(frozen=True)
class Decoded:
    """N images as far as a view needs them: each reduced by one of `by`, int64 (N,), from its place of `origins` on.

    origins: int64 (N, 2), top and left in reduced pixels.
    """

    images: Images
    by: Tensor
    origins: Tensor

    def adapted(self, plan: ViewPlan, drawn: list[Drawn]) -> list[Drawn]:
        """What the view drew, as it is for these images."""
        if not (self.by > 1).any():
            return drawn
        first = plan.operations[0].augmentation.for_reduced(drawn[0].params, self.by, self.origins)
        return [Drawn(first, drawn[0].shapes), *drawn[1:]]


def decode_for_views(
    images: Tensor | Sequence[Tensor | EncodedImage], plans: Sequence[ViewPlan], drawn: Sequence[list[Drawn]]
) -> list[Decoded]:
    """For each view, all N images. UserError: a file cannot be read."""
    if isinstance(images, Tensor):
        whole = torch.ones(len(images), dtype=torch.int64)
        return [Decoded(images, whole, torch.zeros(len(images), 2, dtype=torch.int64))] * len(plans)
    by = _reductions(images, plans, drawn)
    shown = _visible_parts(plans, drawn, by) if (by > 1).any() else None
    origins = torch.zeros(len(plans), len(images), 2, dtype=torch.int64)
    decoded: list[list[Tensor]] = []
    for n, (image, reductions) in enumerate(zip(images, by.T.tolist(), strict=True)):
        if not isinstance(image, EncodedImage):
            decoded.append([image] * len(plans))
            continue
        least, parts = min(reductions), None
        if shown is not None and least > 1:
            wanted = [Part(reduction, *part[n]) for reduction, part in zip(reductions, shown, strict=True)]
            parts = image.decode_parts(wanted)
            if parts is not None:
                origins[:, n] = torch.tensor([(part.top, part.left) for part in wanted])
        if parts is None:
            by[:, n] = least
            parts = [image.decode(least)] * len(plans)
        decoded.append(parts)
    return [Decoded([parts[v] for parts in decoded], by[v], origins[v]) for v in range(len(plans))]


def _reductions(
    images: Sequence[Tensor | EncodedImage], plans: Sequence[ViewPlan], drawn: Sequence[list[Drawn]]
) -> Tensor:
    """By how much each of N images may be reduced for each of V views: int64 (V, N), of 1, 2, 4 and 8."""
    chosen = torch.ones(len(plans), len(images), dtype=torch.int64)
    encoded = torch.tensor([isinstance(image, EncodedImage) for image in images])
    if not encoded.any():
        return chosen
    sizes = shapes_of(images)[:, 1:]
    for v, (plan, steps) in enumerate(zip(plans, drawn, strict=True)):
        least = plan.operations[0].augmentation.least_sizes(steps[0].params, sizes) if plan.leading else None
        if least is None:
            return torch.ones_like(chosen)
        for reduction in _REDUCTIONS:
            enough = (sizes >= least * reduction).all(dim=1)
            chosen[v] = torch.where(encoded & enough, reduction, chosen[v])
    return chosen


def _visible_parts(plans: Sequence[ViewPlan], drawn: Sequence[list[Drawn]], by: Tensor) -> list[list[list[int]]] | None:
    """What each view shows of each of N images: top, left, height, width in reduced pixels. None: all, in some view."""
    shown = []
    for plan, steps, reductions in zip(plans, drawn, by[..., None], strict=True):
        parts = plan.operations[0].augmentation.visible_parts(steps[0].params)
        if parts is None:
            return None
        starts = parts[:, :2] // reductions
        stops = -(-(parts[:, :2] + parts[:, 2:]) // reductions)
        shown.append(torch.cat((starts, stops - starts), dim=1).tolist())
    return shown
