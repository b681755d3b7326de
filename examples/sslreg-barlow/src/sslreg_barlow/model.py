"""The model of Barlow Twins (arXiv 2103.03230)."""

from collections.abc import Sequence
from typing import Annotated

import sslreg
from pydantic import Field, PositiveInt
from torch import nn


class BarlowTwins(sslreg.Model):
    """Two views of each image pass the same backbone and projector (section 2.1, figure 1).

    Args:
        backbone: The encoder whose features are used after the training.
        projection: The widths of the projector's layers. The last one is the width of the
            embeddings: wider is better (figure 4). The default is the paper's for ResNet-50.
    """

    gives = ("pair",)
    views = (2, 2)

    def __init__(
        self,
        backbone: sslreg.Backbone,
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (8192, 8192, 8192),
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.projector = build_projector(backbone.num_features, projection)
        self.embedding_dim = projection[-1]

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        first, second = (self.projector(self.backbone(view)) for view in batch.views)
        return sslreg.StepOutput(loss(first, second), embeddings=first)


def build_projector(in_features: int, widths: Sequence[int]) -> nn.Sequential:
    """Build linear layers with batch normalization and a ReLU after all but the last."""
    projector = nn.Sequential()
    for width in widths[:-1]:
        projector.append(nn.Linear(in_features, width, bias=False))
        projector.append(nn.BatchNorm1d(width))
        projector.append(nn.ReLU(inplace=True))
        in_features = width
    projector.append(nn.Linear(in_features, widths[-1], bias=False))
    return projector
