"""The loss of Barlow Twins (arXiv 2103.03230)."""

from typing import Annotated

import sslreg
import torch
from pydantic import Field
from torch import Tensor


class BarlowTwinsLoss(sslreg.Loss):
    """Loss under which each dimension correlates only with itself in the other view.

    Equations 1 and 2: C (D, D) is the correlation over the batch between the dimensions of one
    view and those of the other. The loss is the sum of (1 - C_ii)^2 plus `redundancy` times the
    sum of all other C_ij^2.

    Args:
        redundancy: The weight lambda of the paper.

    Raises:
        ValueError: There are fewer than two samples, which have no correlation.
    """

    def __init__(self, redundancy: Annotated[float, Field(ge=0)] = 0.005) -> None:
        super().__init__()
        self.redundancy = redundancy

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        first, second = (standardize(view) for view in views)
        with torch.autocast(first.device.type, enabled=False):
            correlation = first.T @ second / len(first)
        same = correlation.diagonal()
        others = correlation.square().sum() - same.square().sum()
        return (1 - same).square().sum() + self.redundancy * others


def standardize(embeddings: Tensor) -> Tensor:
    """Return embeddings (N, D) with mean 0 and deviation 1 per dimension, at least in float32."""
    if len(embeddings) < 2:
        raise ValueError(f"a correlation takes two samples or more, not {len(embeddings)}")
    precise = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    centered = precise - precise.mean(dim=0)
    # The epsilon of batch normalization keeps a constant dimension finite.
    return centered * (centered.square().mean(dim=0) + 1e-5).rsqrt()
