"""The loss of Barlow Twins (arXiv 2103.03230)."""

from typing import Annotated

import sslreg
import torch
from pydantic import Field
from torch import Tensor


class BarlowTwinsLoss(sslreg.Loss):
    """Each dimension of a view is to correlate with the same one of the other, and with no other.

    Equations 1 and 2: C is the correlation (D, D), over the batch, of the dimensions of one view
    with those of the other, and the loss is the sum of (1 - C_ii)^2 and of `redundancy` times all
    other C_ij^2.

    redundancy: the paper's lambda.

    ValueError: fewer than two samples, which have no correlation.
    """

    def __init__(self, redundancy: Annotated[float, Field(ge=0)] = 0.005) -> None:
        super().__init__()
        self.redundancy = redundancy

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        first, second = (standardized(view) for view in views)
        with torch.autocast(first.device.type, enabled=False):
            correlation = first.T @ second / len(first)
        same = correlation.diagonal()
        others = correlation.square().sum() - same.square().sum()
        return (1 - same).square().sum() + self.redundancy * others


def standardized(embeddings: Tensor) -> Tensor:
    """Embeddings (N, D) with mean 0 and deviation 1 in each dimension, in float32 at least."""
    if len(embeddings) < 2:
        raise ValueError(f"a correlation takes two samples or more, not {len(embeddings)}")
    precise = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    centered = precise - precise.mean(dim=0)
    # As batch normalization has it, so that a dimension that is constant stays finite.
    return centered * (centered.square().mean(dim=0) + 1e-5).rsqrt()
