"""The loss of Barlow Twins (arXiv 2103.03230)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

import sslreg
from sslreg import distributed
from sslreg_losses._batch_statistics import center, count_samples, multiply_columns, promote

#: Keeps dimensions without variance finite; as in the batch normalization of the authors' code.
EPSILON = 1e-5


class BarlowTwinsLoss(sslreg.Loss):
    """The distance of the cross-correlation matrix of two views from the identity (equations 1 and 2).

    The matrix C (D, D) holds the correlations between the dimensions of the two views over the batch of all processes.
    The loss is the sum of (1 - C_ii)^2 (invariance) and of `lambda_param` times all other C_ij^2 (redundancy).

    Args:
        lambda_param: The weight of the redundancy reduction, the paper's lambda.
    """

    def __init__(self, lambda_param: Annotated[float, Field(ge=0)] = 0.005) -> None:
        super().__init__()
        self.lambda_param = lambda_param

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        z_a, z_b = (promote(view) for view in views)
        samples = count_samples(z_a)
        z_a, z_b = standardize(z_a, samples), standardize(z_b, samples)
        diagonal, off_diagonal = multiply_columns(z_a, z_b)
        return (1 - diagonal).square().sum() + self.lambda_param * off_diagonal


def standardize(z: Tensor, samples: Tensor) -> Tensor:
    """Center each column of embeddings (N, D), and scale it to length one, over the samples of all processes."""
    centered = center(z, samples)
    squares = distributed.sum(centered.square().sum(dim=0))
    return centered * (squares + EPSILON * samples).rsqrt()
