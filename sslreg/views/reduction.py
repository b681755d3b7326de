"""Large photographs decoded in a reduced size, where the views show no more than that.

libjpeg decodes to a half, a quarter or an eighth of the size by leaving out the fine frequencies, in less time and much
less memory. What the views draw is drawn before, for the size that the file has, so it does not change.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sslreg.views.decode import Encoded
from sslreg.views.plan import Drawn, ViewPlan
from sslreg.views.rows import shapes_of

#: What libjpeg offers, the most first.
_REDUCTIONS = (8, 4, 2)


def reductions(images: Sequence[Tensor | Encoded], plans: Sequence[ViewPlan], drawn: Sequence[list[Drawn]]) -> Tensor:
    """By how much each of N images may be reduced for all its views: int64 (N,), of 1, 2, 4 and 8."""
    chosen = torch.ones(len(images), dtype=torch.int64)
    encoded = torch.tensor([isinstance(image, Encoded) for image in images])
    if not encoded.any():
        return chosen
    sizes = shapes_of(images)[:, 1:]
    least = torch.ones_like(sizes)
    for plan, steps in zip(plans, drawn, strict=True):
        needed = plan.operations[0].augmentation.least_sizes(steps[0].params, sizes) if plan.leading else None
        if needed is None:
            return chosen
        least = torch.maximum(least, needed)
    for reduction in reversed(_REDUCTIONS):
        enough = (sizes >= least * reduction).all(dim=1)
        chosen = torch.where(encoded & enough, reduction, chosen)
    return chosen


def for_reduced(plan: ViewPlan, drawn: list[Drawn], by: Tensor) -> list[Drawn]:
    """What was drawn, as it is for images that are reduced by (N,)."""
    if not (by > 1).any():
        return drawn
    first = plan.operations[0].augmentation.for_reduced(drawn[0].params, by)
    return [Drawn(first, drawn[0].shapes), *drawn[1:]]
