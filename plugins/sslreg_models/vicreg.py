"""VICReg: variance-invariance-covariance regularization (arXiv 2105.04906)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, PositiveInt

import sslreg
from sslreg_models.projection_head import projection_head


class VICReg(sslreg.Model):
    """VICReg: two views of each image pass the same backbone and a wide expander (section 3, figure 1).

    Args:
        backbone: The encoder f whose features are used after the training.
        projection: The widths of the layers of the expander h. The loss compares the output of the last. The default is
            the paper's for ResNet-50.
    """

    def __init__(
        self,
        backbone: sslreg.Backbone,
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (8192, 8192, 8192),
    ) -> None:
        super().__init__()
        self.embedding_dim = projection[-1]
        self.backbone = backbone
        self.projection = projection_head(backbone.num_features, projection)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        z_a, z_b = (self.projection(self.backbone(view)) for view in batch.views)
        return sslreg.StepOutput(loss(z_a, z_b), embeddings=z_a)
