"""SimCLR: a simple framework for contrastive learning (arXiv 2002.05709)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from pydantic import PositiveInt

import sslreg
from sslreg_models.projection_head import projection_head


class SimCLR(sslreg.Model):
    """SimCLR: views of one image attract each other and repel those of all others (section 2, algorithm 1).

    With more than two views, a loss of pairs is averaged over all pairs of views.

    Args:
        backbone: The encoder whose features are used after the training.
        projection: The widths of the layers of the head g, a perceptron with batch normalization. The loss compares
            the output of the last. The default is the paper's for ResNet-50; with an empty list the loss compares the
            backbone's features (section 4.2).
    """

    gives = ("pair", "views", "labeled views")
    views = (2, None)

    def __init__(
        self,
        backbone: sslreg.Backbone,
        projection: Sequence[PositiveInt] = (2048, 128),
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection = projection_head(backbone.num_features, projection, output_norm="affine")
        self.embedding_dim = [backbone.num_features, *projection][-1]

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        z = [self.projection(self.backbone(view)) for view in batch.views]
        inputs = combinations(z, 2) if loss.takes == "pair" else [z]
        losses = [loss(*views, targets=batch.targets) for views in inputs]
        return sslreg.StepOutput(torch.stack(losses).mean(), embeddings=z[0])
