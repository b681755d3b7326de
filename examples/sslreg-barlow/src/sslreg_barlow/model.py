"""The network of Barlow Twins (arXiv 2103.03230)."""

from collections.abc import Sequence
from typing import Annotated

import sslreg
from pydantic import Field, PositiveInt
from torch import nn


class BarlowTwins(sslreg.Model):
    """Model that embeds two views with one backbone and one projector (section 2.1, figure 1).

    Args:
        backbone: The encoder whose features are used after training.
        projection: The widths of the layers of the projector; the last is the width of the
            embeddings. Wider is better (figure 4). The default is the paper's for ResNet-50.
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
        self.embedding_dim = projection[-1]
        self.projection = nn.Sequential()
        width_before = backbone.num_features
        for width in projection[:-1]:
            self.projection.append(nn.Linear(width_before, width, bias=False))
            self.projection.append(nn.BatchNorm1d(width))
            self.projection.append(nn.ReLU(inplace=True))
            width_before = width
        self.projection.append(nn.Linear(width_before, self.embedding_dim, bias=False))

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        first, second = (self.projection(self.backbone(view)) for view in batch.views)
        return sslreg.StepOutput(loss(first, second), embeddings=first)
