"""SimSiam: simple siamese representation learning (arXiv 2011.10566)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field, PositiveInt

import sslreg
from sslreg_models.projection_head import projection_head


class SimSiam(sslreg.Model):
    """SimSiam: a predictor maps one view to the other, which gets no gradient (section 3, algorithm 1).

    It needs no negatives, no momentum encoder and no large batch. The learning rate of the predictor does not decay
    (section 4.2).

    Args:
        backbone: The encoder whose features are used after the training.
        projection: The widths of the layers of the projection MLP, each followed by batch normalization, the last
            without scale and shift (section 4.4).
        prediction: The widths of the hidden layers of the predictor h, whose output is as wide as the projection. A
            bottleneck works best.
    """

    gives = ("prediction and target",)

    def __init__(
        self,
        backbone: sslreg.Backbone,
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (2048, 2048, 2048),
        prediction: Sequence[PositiveInt] = (512,),
    ) -> None:
        super().__init__()
        self.embedding_dim = projection[-1]
        self.backbone = backbone
        self.projection = projection_head(backbone.num_features, projection, output_norm="plain")
        self.prediction = projection_head(self.embedding_dim, [*prediction, self.embedding_dim])

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        z, z_other = (self.projection(self.backbone(view)) for view in batch.views)
        value = (loss(self.prediction(z), z_other.detach()) + loss(self.prediction(z_other), z.detach())) / 2
        return sslreg.StepOutput(value, embeddings=z)

    def parameter_groups(self) -> Iterable[dict[str, Any]]:
        encoder = [*self.backbone.parameters(), *self.projection.parameters()]
        return [
            {"params": [parameter for parameter in encoder if parameter.requires_grad]},
            {"params": list(self.prediction.parameters()), "fixed_lr": True},
        ]
