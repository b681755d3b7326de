"""The loss of LeJEPA (arXiv 2511.08544)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor
from torch.nn.functional import normalize

import sslreg
from sslreg import distributed
from sslreg_losses._autocast_and_compile import disable_autocast

#: The largest frequency at which characteristic functions are compared.
_LARGEST_FREQUENCY = 3.0


class LeJEPALoss(sslreg.Loss):
    """The distance of all views from the mean of the global views, and SIGReg (algorithms 1 and 2).

    SIGReg compares embeddings with a standard normal distribution: along random directions, the same in all processes
    and others in each step, it integrates the squared distance of their characteristic functions with a Gaussian weight
    (Epps and Pulley's test), times the number of samples of all processes.

    Args:
        lambda_param: The weight of SIGReg, the paper's lambda. The distance has the weight 1 - lambda_param.
        directions: The number of directions. The memory of a step is in proportion to it.
        knots: The number of frequencies in the trapezoidal rule, from 0 to 3.
    """

    takes = "global and local views"
    compares_batch = True

    step: Tensor

    def __init__(
        self,
        lambda_param: Annotated[float, Field(ge=0, le=1)] = 0.05,
        directions: PositiveInt = 1024,
        knots: Annotated[int, Field(ge=2)] = 17,
    ) -> None:
        super().__init__()
        self.lambda_param = lambda_param
        self.directions = directions
        self.knots = knots
        self.register_buffer("step", torch.zeros(1, dtype=torch.int64))
        self._is_staged = False

    def forward(self, global_views: Sequence[Tensor], local_views: Sequence[Tensor] = ()) -> Tensor:
        """Return the loss of embeddings (N, D) of the global and the local views."""
        z = torch.stack([*global_views, *local_views])
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        self._is_staged = True
        with disable_autocast(z):
            center = z[: len(global_views)].mean(dim=0)
            distance = (z - center).square().mean()
            return (1 - self.lambda_param) * distance + self.lambda_param * self.compute_sigreg(z)

    def compute_sigreg(self, z: Tensor) -> Tensor:
        """Return the statistic of embeddings (V, N, D), averaged over views and directions."""
        directions = sslreg.noise_like(self.step, (z.shape[2], self.directions), z.device, "normal")[0]
        frequencies = torch.linspace(0, _LARGEST_FREQUENCY, self.knots, dtype=z.dtype, device=z.device)
        gaussian = (-frequencies.square() / 2).exp()  # both the normal distribution's and the weight
        weights = 2 * gaussian * _LARGEST_FREQUENCY / (self.knots - 1)  # twice, for the negative frequencies
        weights[[0, -1]] /= 2
        angles = (z @ normalize(directions.to(z.dtype), dim=0)).unsqueeze(-1) * frequencies
        real, imaginary = distributed.mean(torch.stack([angles.cos().mean(dim=1), angles.sin().mean(dim=1)]))
        statistic = ((real - gaussian).square() + imaginary.square()) @ weights
        sigreg: Tensor = statistic.mean() * z.shape[1] * distributed.world_size()
        return sigreg

    def commit(self) -> None:
        super().commit()
        self.step += self._is_staged
        self._is_staged = False

    def discard(self) -> None:
        super().discard()
        self._is_staged = False
