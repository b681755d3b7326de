"""The loss of TiCo (arXiv 2206.10698)."""

from typing import Annotated

import sslreg
import torch
from pydantic import Field
from sslreg import distributed
from torch import Tensor
from torch.nn.functional import normalize


class TiCoLoss(sslreg.Loss):
    """Transformation invariance and covariance contrast (section 3).

    The loss is the mean of 1 - z_a·z_b + rho z_aᵀ C z_a over normalized embeddings, those of the
    momentum encoder being z_b. C is a moving average of the second moments of z_a over the
    batches of all processes, the present one included; it gets no gradient.

    Args:
        embedding_dim: The width of the embeddings.
        beta: The share of C that each step keeps.
        rho: The weight of the covariance contrast.
    """

    covariance: Tensor

    def __init__(
        self,
        embedding_dim: Annotated[int, sslreg.FromRun("embedding_dim")],
        beta: Annotated[float, Field(ge=0, lt=1)] = 0.9,
        rho: Annotated[float, Field(ge=0)] = 8.0,
    ) -> None:
        super().__init__()
        self.beta = beta
        self.rho = rho
        self.register_buffer("covariance", torch.zeros(embedding_dim, embedding_dim))
        self.staged: list[Tensor] = []

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        z_a, z_b = (normalize_rows(view) for view in views)
        with torch.autocast(z_a.device.type, enabled=False):
            batch = z_a.detach()
            self.staged.append(distributed.mean(batch.T @ batch / len(batch)))
            covariance = self.average(self.staged[-1])
            contrast = (z_a @ covariance * z_a).sum(dim=1)
        return (1 - (z_a * z_b).sum(dim=1) + self.rho * contrast).mean()

    def average(self, moments: Tensor) -> Tensor:
        """Return the moving average after a batch with these second moments (D, D)."""
        return self.beta * self.covariance.to(moments.dtype) + (1 - self.beta) * moments

    def commit(self) -> None:
        """Update the moving average with the batches since the last step."""
        super().commit()
        if self.staged:
            self.covariance.copy_(self.average(torch.stack(self.staged).mean(dim=0)))
        self.staged.clear()

    def discard(self) -> None:
        super().discard()
        self.staged.clear()


def normalize_rows(embeddings: Tensor) -> Tensor:
    """Scale embeddings (N, D) to length one, in float32 at least."""
    return normalize(embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)), dim=1)
