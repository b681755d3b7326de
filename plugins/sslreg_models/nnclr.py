"""NNCLR: nearest-neighbor contrastive learning of visual representations (arXiv 2104.14548)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, PositiveInt

import sslreg
from sslreg_models.projection_head import projection_head


class NNCLR(sslreg.Model):
    """NNCLR: the positive of a view is the past embedding that is nearest to the other view (section 3.2, figure 2).

    The neighbor is another image, so it varies in more ways than augmentations can produce. The paper's loss compares
    each neighbor with the predictions of all processes: ``{use: nt_xent, temperature: 0.1, symmetric: false,
    gather_distributed: true}``.

    Args:
        backbone: The encoder f whose features are used after the training.
        memory_bank: The support set Q. The paper's holds 98,304 embeddings.
        projection: The widths of the layers of the projection MLP g, each followed by batch normalization.
        prediction: The widths of the hidden layers of the prediction MLP h, whose output is as wide as the projection.

    Raises:
        ValueError: The memory bank cannot find nearest rows.
    """

    gives = ("pair",)

    def __init__(
        self,
        backbone: sslreg.Backbone,
        memory_bank: sslreg.MemoryBank,
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (2048, 2048, 256),
        prediction: Sequence[PositiveInt] = (4096,),
    ) -> None:
        super().__init__()
        self.embedding_dim = projection[-1]
        self.backbone = backbone
        self.projection = projection_head(backbone.num_features, projection, output_norm="affine")
        self.prediction = projection_head(self.embedding_dim, [*prediction, self.embedding_dim])
        memory_bank.require_nearest()
        memory_bank.hold(self.embedding_dim)
        self.memory_bank = memory_bank

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        z, z_other = (self.projection(self.backbone(view)) for view in batch.views)
        neighbor, neighbor_other = self.memory_bank.nearest(z), self.memory_bank.nearest(z_other)
        value = (loss(neighbor, self.prediction(z_other)) + loss(neighbor_other, self.prediction(z))) / 2
        self.memory_bank.enqueue(z)
        return sslreg.StepOutput(value, embeddings=z)
