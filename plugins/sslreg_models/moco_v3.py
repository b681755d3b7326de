"""MoCo v3: an empirical study of training self-supervised vision transformers (arXiv 2104.02057)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

import sslreg
from sslreg_models.projection_head import projection_head


class MoCoV3(sslreg.Model):
    """MoCo v3: predictions of a view find the other view's key, from a momentum encoder, in the batch (algorithm 1).

    The defaults are the paper's for ResNets. For vision transformers, set `projection` to three layers, ``[4096, 4096,
    256]``, `prediction_norm` and `freeze_patch_projection` (sections 4.1 and 4.2).

    Args:
        backbone: The encoder whose features are used after the training.
        projection: The widths of the layers of the projection MLP, each followed by batch normalization, the last
            without scale and shift.
        prediction: The widths of the hidden layers of the prediction MLP, whose output is as wide as the projection.
        prediction_norm: Whether batch normalization without scale and shift follows the prediction MLP.
        freeze_patch_projection: Whether the backbone's first convolution, whose stride is its kernel size, keeps its
            random weights. It makes the training of vision transformers stable.
        momentum: The share of the momentum encoder that the first step keeps. It grows to 1 along half a cosine over
            the run.

    Raises:
        ValueError: The patch projection is to be frozen, but the backbone has none.
    """

    gives = ("prediction and target",)

    def __init__(
        self,
        backbone: sslreg.Backbone,
        total_steps: Annotated[int, sslreg.FromRun("total_steps")],
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (4096, 256),
        prediction: Sequence[PositiveInt] = (4096,),
        prediction_norm: bool = False,
        freeze_patch_projection: bool = False,
        momentum: Annotated[float, Field(ge=0, le=1)] = 0.99,
    ) -> None:
        super().__init__()
        self.embedding_dim = projection[-1]
        self.backbone = backbone
        if freeze_patch_projection:
            _find_patch_projection(backbone).requires_grad_(False)
        self.projection = projection_head(backbone.num_features, projection, output_norm="plain")
        self.prediction = projection_head(
            self.embedding_dim,
            [*prediction, self.embedding_dim],
            output_norm="plain" if prediction_norm else "none",
        )
        self.key_backbone = sslreg.momentum_copy(self.backbone)
        self.key_projection = sslreg.momentum_copy(self.projection)
        self.momentum = sslreg.CosineValue(momentum, 1.0, total_steps)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        z, z_other = (self.projection(self.backbone(view)) for view in batch.views)
        key, key_other = (self.embed_keys(view) for view in batch.views)
        value = loss(self.prediction(z), key_other) + loss(self.prediction(z_other), key)
        return sslreg.StepOutput(value, embeddings=z)

    @torch.no_grad()
    def embed_keys(self, images: Tensor) -> Tensor:
        """Return the momentum encoder's embeddings (N, D) of images (N, C, H, W)."""
        keys: Tensor = self.key_projection(self.key_backbone(images))
        return keys

    def after_step(self) -> None:
        """Move the momentum encoder towards the encoder."""
        sslreg.follow(self.key_backbone, self.backbone, self.momentum.value)
        sslreg.follow(self.key_projection, self.projection, self.momentum.value)
        self.momentum.advance()


def _find_patch_projection(backbone: nn.Module) -> nn.Conv2d:
    first = next((module for module in backbone.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None or first.kernel_size != first.stride:
        raise ValueError("freeze_patch_projection needs a backbone that begins with a patch projection, like vit_b_16")
    return first
