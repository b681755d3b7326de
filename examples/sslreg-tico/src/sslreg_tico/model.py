"""The model of TiCo (arXiv 2206.10698)."""

from collections.abc import Sequence
from typing import Annotated

import sslreg
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn


class TiCo(sslreg.Model):
    """One view passes a network, the other a slowly moving copy of it (section 3, figure 1).

    Args:
        backbone: The encoder whose features are used after the training.
        projection: The widths of the projector's layers.
        momentum: The share of the copy that the first step keeps, the paper's alpha. It grows to 1
            along half a cosine over the run.
    """

    def __init__(
        self,
        backbone: sslreg.Backbone,
        total_steps: Annotated[int, sslreg.FromRun("total_steps")],
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (4096, 256),
        momentum: Annotated[float, Field(ge=0, le=1)] = 0.99,
    ) -> None:
        super().__init__()
        self.embedding_dim = projection[-1]
        self.backbone = backbone
        self.projection = build_projector(backbone.num_features, projection)
        self.momentum_backbone = sslreg.momentum_copy(self.backbone)
        self.momentum_projection = sslreg.momentum_copy(self.projection)
        self.momentum = sslreg.CosineValue(momentum, 1.0, total_steps)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        view, other_view = batch.views
        z_a = self.projection(self.backbone(view))
        z_b = self.embed_slowly(other_view)
        return sslreg.StepOutput(loss(z_a, z_b), embeddings=z_a)

    @torch.no_grad()
    def embed_slowly(self, images: Tensor) -> Tensor:
        """Return the embeddings (N, D) of images (N, C, H, W) by the momentum encoder."""
        embeddings: Tensor = self.momentum_projection(self.momentum_backbone(images))
        return embeddings

    def after_step(self) -> None:
        """Move the momentum encoder towards the trained network."""
        sslreg.follow(self.momentum_backbone, self.backbone, self.momentum.value)
        sslreg.follow(self.momentum_projection, self.projection, self.momentum.value)
        self.momentum.advance()


def build_projector(in_features: int, widths: Sequence[int]) -> nn.Sequential:
    """Build linear layers with batch normalization and a ReLU after all but the last."""
    projector = nn.Sequential()
    for width in widths[:-1]:
        projector.append(nn.Linear(in_features, width, bias=False))
        projector.append(nn.BatchNorm1d(width))
        projector.append(nn.ReLU(inplace=True))
        in_features = width
    projector.append(nn.Linear(in_features, widths[-1]))
    return projector
