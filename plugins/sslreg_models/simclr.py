"""SimCLR: a simple framework for contrastive learning (arXiv 2002.05709)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated

import torch
from pydantic import Field, PositiveInt

import sslreg
from sslreg_models.projection import projection_head


class SimCLR(sslreg.Model):
    """Views of one image attract each other and repel those of all others (section 2, algorithm 1).

    projection: the widths of the head g, a perceptron with batch normalization; the last one is what the loss
    compares; the default is the paper's for ResNet-50. With more than two views, the loss is the mean over their pairs.
    """

    gives = ("pair", "views")
    views = (2, None)

    def __init__(
        self,
        backbone: sslreg.Backbone,
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (2048, 128),
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection = projection_head(backbone.num_features, projection, batch_norm=True)
        self.embedding_dim = projection[-1]

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        z = [self.projection(self.backbone(view)) for view in batch.views]
        pairs = [loss(a, b) for a, b in combinations(z, 2)]
        return sslreg.StepOutput(torch.stack(pairs).mean(), embeddings=z[0])
