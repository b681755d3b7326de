"""The loss of Barlow Twins (arXiv 2103.03230)."""

from typing import Annotated

import sslreg
import torch
from pydantic import Field
from sslreg import distributed
from torch import Tensor


class BarlowTwinsLoss(sslreg.Loss):
    """The distance of the views' cross-correlation matrix from the identity (equations 1 and 2).

    C is the correlation matrix (D, D) between the dimensions of two views over the batch of all
    processes. The loss is the sum of (1 - C_ii)^2 and of `redundancy` times all other C_ij^2.

    Args:
        redundancy: The weight of the redundancy reduction term, the paper's lambda.

    Raises:
        ValueError: There are fewer than two samples, so there is no correlation.
    """

    def __init__(self, redundancy: Annotated[float, Field(ge=0)] = 0.005) -> None:
        super().__init__()
        self.redundancy = redundancy

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        first, second = (standardize(view) for view in views)
        with torch.autocast(first.device.type, enabled=False):
            correlation = distributed.mean(first.T @ second / len(first))
        diagonal = correlation.diagonal()
        off_diagonal = correlation.square().sum() - diagonal.square().sum()
        return (1 - diagonal).square().sum() + self.redundancy * off_diagonal


def standardize(embeddings: Tensor) -> Tensor:
    """Scale each dimension of embeddings (N, D) to mean 0 and deviation 1, in float32 at least.

    Mean and deviation are those of the batch of all processes.
    """
    if len(embeddings) * distributed.world_size() < 2:
        raise ValueError(f"a correlation needs at least two samples, not {len(embeddings)}")
    precise = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    centered = precise - distributed.mean(precise.mean(dim=0))
    variance = distributed.mean(centered.square().mean(dim=0))
    # As in batch normalization, epsilon keeps a constant dimension finite.
    return centered * (variance + 1e-5).rsqrt()
