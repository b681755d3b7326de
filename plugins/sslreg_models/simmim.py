"""SimMIM: a simple framework for masked image modeling (arXiv 2111.09886)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import torch
from torch import nn

import sslreg
from sslreg_models.patchify import patchify

#: The side of masked squares in pixels, in the paper.
_UNIT = 32


class SimMIM(sslreg.Model):
    """SimMIM: predict the pixels of masked patches with one linear layer (section 3).

    The encoder processes all patches; a learned mask token replaces those that are masked. Images have a single view,
    without augmentations other than crops and flips.

    Args:
        backbone: The encoder.
        masks: Draws the masked patches (its targets); by default ``random`` with a ratio of 0.6, in squares of 32
            pixels.
    """

    gives = ("patches and mask",)
    views = (1, 1)

    backbone: sslreg.PatchBackbone

    def __init__(
        self,
        backbone: sslreg.PatchBackbone,
        in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3,
        masks: sslreg.MaskSampler | None = None,
    ) -> None:
        super().__init__()
        unit = max(_UNIT // backbone.patch_size, 1)
        self.masks = masks or sslreg.build("mask_sampler", "random", ratio=0.6, unit=unit)
        self.backbone = backbone
        self.mask_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(backbone.token_features), std=0.02))
        self.embedding_dim = backbone.patch_size**2 * in_channels
        self.head = nn.Linear(backbone.token_features, self.embedding_dim)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        (images,) = batch.views
        masks = self.masks.sample(batch.keys("masks"), self.backbone.grid(images))
        masked = masks.targets.any(dim=1).to(images.device)

        _, patches = self.backbone.tokens(images, mask=masked, mask_token=self.mask_token)
        return sslreg.StepOutput(loss(self.head(patches), patchify(images, self.backbone.patch_size), masked))

    def parameter_groups(self) -> Iterable[dict[str, Any]]:
        return sslreg.split_weight_decay(self)
