"""MoCo: momentum contrast (v1: arXiv 1911.05722; v2: arXiv 2003.04297)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

import sslreg
from sslreg_models.batch_shuffle import BatchShuffle
from sslreg_models.projection_head import projection_head
from sslreg_models.split_batch_norm import split_batch_norm


class MoCo(sslreg.Model):
    """MoCo: a query finds its key, which a slowly moving copy of its encoder makes of another view (algorithm 1).

    The queue of past keys is the memory bank of the loss. Batch statistics could tell which key belongs to a query;
    therefore the batch of the keys is shuffled over all processes (section 3.3, shuffling BN).

    Args:
        backbone: The encoder whose features are used after the training.
        projection: The widths of the head's layers: one is the linear head of v1, two are the perceptron of v2, and
            with an empty list the loss compares the backbone's features.
        momentum: The share of the key encoder that each step keeps.
        symmetric: Use each view as query and as key, and average the two losses.
        bn_splits: The number of parts into which the backbone's batch normalization splits a batch, as that many
            devices would.
    """

    gives = ("pair",)

    def __init__(
        self,
        backbone: sslreg.Backbone,
        projection: Sequence[PositiveInt] = (2048, 128),
        momentum: Annotated[float, Field(ge=0, lt=1)] = 0.999,
        symmetric: bool = False,
        bn_splits: PositiveInt = 1,
    ) -> None:
        super().__init__()
        self.backbone = split_batch_norm(backbone, bn_splits)
        self.projection = projection_head(backbone.num_features, projection, hidden_norm=False)
        self.key_backbone = sslreg.momentum_copy(self.backbone)
        self.key_projection = sslreg.momentum_copy(self.projection)
        self.embedding_dim = [backbone.num_features, *projection][-1]
        self.momentum = momentum
        self.symmetric = symmetric
        self.bn_splits = bn_splits

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        a, b = batch.views
        query = self.projection(self.backbone(a))
        value = loss(query, self.embed_keys(b))
        if self.symmetric:
            value = (value + loss(self.projection(self.backbone(b)), self.embed_keys(a))) / 2
        return sslreg.StepOutput(value, embeddings=query)

    @torch.no_grad()
    def embed_keys(self, images: Tensor) -> Tensor:
        """Return the momentum encoder's embeddings (N, D) of images (N, C, H, W)."""
        shuffle = BatchShuffle(images, within=self.bn_splits > 1)
        return shuffle.undo(self.key_projection(self.key_backbone(shuffle.rows)))

    def after_step(self) -> None:
        """Move the key encoder towards the query encoder (equation 2)."""
        sslreg.follow(self.key_backbone, self.backbone, self.momentum)
        sslreg.follow(self.key_projection, self.projection, self.momentum)
