"""MAE: masked autoencoders are scalable vision learners (arXiv 2111.06377)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import PositiveInt
from torch import nn

import sslreg
from sslreg_models.mae_decoder import MAEDecoder
from sslreg_models.patchify import patchify
from sslreg_models.transformer_block import require_width


class MAE(sslreg.Model):
    """MAE: reconstruct the pixels of masked patches (section 3).

    The encoder processes the visible patches alone, a quarter of all, which makes a step fast. A small decoder, which
    is discarded after the training, then predicts the pixels of all patches. Images have a single view, without
    augmentations other than crops and flips.

    Args:
        backbone: The encoder.
        masks: Draws the visible patches (its context) and those that the loss compares (its targets); by default
            ``random`` with a ratio of 0.75.
        decoder_depth: The number of blocks of the decoder.
        decoder_width: The width of the decoder, a multiple of 4 and of `decoder_heads`.
        decoder_heads: The number of attention heads of the decoder.

    Raises:
        ValueError: `decoder_width` is not a multiple of 4 and of `decoder_heads`.
    """

    gives = ("patches and mask",)
    views = (1, 1)

    backbone: sslreg.PatchBackbone

    def __init__(
        self,
        backbone: sslreg.PatchBackbone,
        in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3,
        masks: sslreg.MaskSampler | None = None,
        decoder_depth: PositiveInt = 8,
        decoder_width: PositiveInt = 512,
        decoder_heads: PositiveInt = 16,
    ) -> None:
        super().__init__()
        require_width("decoder", decoder_width, decoder_heads)
        self.masks = masks or sslreg.build("mask_sampler", "random", ratio=0.75)
        self.backbone = backbone
        self.embedding_dim = backbone.patch_size**2 * in_channels
        self.decoder = MAEDecoder(
            backbone.token_features, decoder_width, decoder_depth, decoder_heads, self.embedding_dim
        )

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        (images,) = batch.views
        grid = self.backbone.grid(images)
        masks = self.masks.sample(batch.keys("masks"), grid)
        keep = sslreg.patch_indices(masks.context).to(images.device)
        masked = masks.targets.any(dim=1).to(images.device)

        prefix, patches = self.backbone.tokens(images, keep=keep)
        prediction = self.decoder(prefix, patches, keep, grid)
        return sslreg.StepOutput(loss(prediction, patchify(images, self.backbone.patch_size), masked))

    def trained_modules(self) -> Iterable[nn.Module]:
        return [self.backbone, self.decoder]

    def parameter_groups(self) -> Iterable[dict[str, Any]]:
        return sslreg.split_weight_decay(self)
