"""BYOL: bootstrap your own latent (arXiv 2006.07733)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

import sslreg
from sslreg_models.projection_head import projection_head


class BYOL(sslreg.Model):
    """BYOL: an online network predicts the embedding of another view by its slow copy, the target (section 3.1).

    No negatives are needed. The predictor and the target keep the embeddings from collapsing.

    Args:
        backbone: The encoder f whose features are used after the training.
        projection: The widths of the layers of the projector g.
        prediction: The widths of the hidden layers of the predictor q, whose output is as wide as the projection.
        momentum: The share of the target that the first step keeps, the paper's tau_base. It grows to 1 along half a
            cosine over the run.
    """

    gives = ("prediction and target",)

    def __init__(
        self,
        backbone: sslreg.Backbone,
        total_steps: Annotated[int, sslreg.FromRun("total_steps")],
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (4096, 256),
        prediction: Sequence[PositiveInt] = (4096,),
        momentum: Annotated[float, Field(ge=0, le=1)] = 0.996,
    ) -> None:
        super().__init__()
        self.embedding_dim = projection[-1]
        self.backbone = backbone
        self.projection = projection_head(backbone.num_features, projection)
        self.prediction = projection_head(self.embedding_dim, [*prediction, self.embedding_dim])
        self.target_backbone = sslreg.momentum_copy(self.backbone)
        self.target_projection = sslreg.momentum_copy(self.projection)
        self.momentum = sslreg.CosineValue(momentum, 1.0, total_steps)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        z, z_other = (self.projection(self.backbone(view)) for view in batch.views)
        target, target_other = (self.embed_targets(view) for view in batch.views)
        value = loss(self.prediction(z), target_other) + loss(self.prediction(z_other), target)
        return sslreg.StepOutput(value, embeddings=z)

    @torch.no_grad()
    def embed_targets(self, images: Tensor) -> Tensor:
        """Return the target projections (N, D) of images (N, C, H, W)."""
        targets: Tensor = self.target_projection(self.target_backbone(images))
        return targets

    def after_step(self) -> None:
        """Move the target towards the online network (equation 1)."""
        sslreg.follow(self.target_backbone, self.backbone, self.momentum.value)
        sslreg.follow(self.target_projection, self.projection, self.momentum.value)
        self.momentum.advance()
