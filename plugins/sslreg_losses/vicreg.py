"""The loss of VICReg (arXiv 2105.04906)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

import sslreg
from sslreg import distributed
from sslreg_losses._batch_statistics import center, count_samples, multiply_columns, promote

#: Keeps the gradient of the deviation of a constant dimension finite (equation 2).
EPSILON = 1e-4


class VICRegLoss(sslreg.Loss):
    """The weighted sum of invariance, variance and covariance, over the batch of all processes (equation 6).

    * Invariance: the squared difference of the views, averaged over samples and dimensions.
    * Variance: max(0, 1 - sqrt(Var + 0.0001)), averaged over dimensions and the two views.
    * Covariance: the sum of the squared covariances of different dimensions, divided by their number D and summed over
      the two views.

    This is the authors' code, to which the default weights and all published results belong. The formulas of the paper
    sum the invariance over dimensions and the variance over the views: its weights are lambda = `lambda_param` / D and
    mu = `mu_param` / 2.

    Args:
        lambda_param: The weight of the invariance.
        mu_param: The weight of the variance.
        nu_param: The weight of the covariance.
    """

    def __init__(
        self,
        lambda_param: Annotated[float, Field(ge=0)] = 25.0,
        mu_param: Annotated[float, Field(ge=0)] = 25.0,
        nu_param: Annotated[float, Field(ge=0)] = 1.0,
    ) -> None:
        super().__init__()
        self.lambda_param = lambda_param
        self.mu_param = mu_param
        self.nu_param = nu_param

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        z_a, z_b = (promote(view) for view in views)
        samples = count_samples(z_a)
        invariance = distributed.sum((z_a - z_b).square().mean(dim=1).sum()) / samples
        (variance_a, covariance_a), (variance_b, covariance_b) = (regularize(z, samples) for z in (z_a, z_b))
        return (
            self.lambda_param * invariance
            + self.mu_param * (variance_a + variance_b) / 2
            + self.nu_param * (covariance_a + covariance_b)
        )


def regularize(z: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
    """Return the variance and the covariance term of the embeddings (N, D) of one view (equations 1 and 4)."""
    columns = center(z, samples) * (samples - 1).rsqrt()
    variances, squared_covariances = multiply_columns(columns, columns)
    deviations = (variances + EPSILON).sqrt()
    return (1 - deviations).relu().mean(), squared_covariances / z.shape[1]
