"""LeJEPA: provable and scalable self-supervised learning without the heuristics (arXiv 2511.08544)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field, PositiveInt

import sslreg
from sslreg_models.projection_head import projection_head


class LeJEPA(sslreg.Model):
    """LeJEPA: all views predict the mean of the global views, and embeddings are Gaussian (section 5, algorithm 2).

    It needs no teacher, no stop-gradient and no schedules. Global views cover most of an image, local ones a part.

    Args:
        backbone: The encoder whose features are used after the training.
        projection: The widths of the layers of the projector. Batch normalization follows each but the last.
    """

    gives = ("global and local views",)
    roles: ClassVar = {"global": (2, None), "local": (0, None)}

    def __init__(
        self,
        backbone: sslreg.Backbone,
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (2048, 2048, 128),
    ) -> None:
        super().__init__()
        self.embedding_dim = projection[-1]
        self.backbone = backbone
        self.projection = projection_head(backbone.num_features, projection)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        global_views, local_views = batch.views_of("global"), batch.views_of("local")
        features = sslreg.forward_by_size(self.backbone, [*global_views, *local_views])
        z = self.projection(torch.cat(features)).chunk(len(features))
        value = loss(z[: len(global_views)], z[len(global_views) :])
        return sslreg.StepOutput(value, embeddings=z[0])
