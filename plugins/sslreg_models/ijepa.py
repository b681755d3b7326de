"""I-JEPA: the image-based joint-embedding predictive architecture (arXiv 2301.08243)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

import sslreg
from sslreg_models.ijepa_predictor import IJEPAPredictor
from sslreg_models.transformer_block import require_width


class IJEPA(sslreg.Model):
    """I-JEPA: predict the tokens of target blocks from a context block of the same image (section 3).

    The teacher, a slow copy of the context encoder, sees the whole image and computes the tokens of the targets. The
    backbone that is used after the training is the teacher's. Images have a single view, without augmentations other
    than crops.

    Args:
        backbone: The encoder. Class tokens and registers, which the paper's has not, are not part of the context; let
            its features be the mean of patches.
        masks: Draws the context and the targets of each image; by default ``multi_block``.
        predictor_depth: The number of blocks of the predictor; 12 for ViT-L and larger ones.
        predictor_width: The width of the predictor, a multiple of 4 and of `predictor_heads`.
        predictor_heads: The number of attention heads of the predictor.
        momentum: The share of the teacher that the first step keeps. It grows linearly to 1 over the run.

    Raises:
        ValueError: `predictor_width` is no multiple of 4 or `predictor_heads`.
    """

    gives = ("target blocks",)
    views = (1, 1)

    backbone: sslreg.PatchBackbone

    def __init__(
        self,
        backbone: sslreg.PatchBackbone,
        total_steps: Annotated[int, sslreg.FromRun("total_steps")],
        masks: sslreg.MaskSampler | None = None,
        predictor_depth: PositiveInt = 6,
        predictor_width: PositiveInt = 384,
        predictor_heads: PositiveInt = 12,
        momentum: Annotated[float, Field(ge=0, le=1)] = 0.996,
    ) -> None:
        super().__init__()
        require_width("predictor", predictor_width, predictor_heads)
        self.masks = masks or sslreg.build("mask_sampler", "multi_block")
        self.embedding_dim = backbone.token_features
        self.context_encoder = backbone
        self.predictor_width = predictor_width
        self.predictor = IJEPAPredictor(self.embedding_dim, predictor_width, predictor_depth, predictor_heads)
        self.backbone = sslreg.momentum_copy(self.context_encoder)
        self.momentum = sslreg.LinearValue(momentum, 1.0, total_steps)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        (images,) = batch.views
        grid = self.context_encoder.grid(images)
        masks = self.masks.sample(batch.keys("masks"), grid)
        context = sslreg.patch_indices(masks.context)
        targets = sslreg.patch_indices(masks.targets.flatten(0, 1)).reshape(*masks.targets.shape[:2], -1)
        padding = find_padding(context, targets)
        context, targets = context.to(images.device), targets.to(images.device)

        teacher = self.embed_targets(images)
        tokens = self.context_encoder.tokens(images, keep=context)[1]
        positions = sslreg.sine_cosine_embeddings(grid, self.predictor_width).to(tokens)
        prediction = self.predictor(
            tokens,
            positions[context],
            positions[targets],
            None if padding is None else padding.to(images.device),
        )
        target = teacher[torch.arange(len(teacher), device=teacher.device)[:, None, None], targets]
        return sslreg.StepOutput(loss(prediction, target, targets >= 0), embeddings=teacher.mean(dim=1))

    @torch.no_grad()
    def embed_targets(self, images: Tensor) -> Tensor:
        """Return the teacher's normalized tokens (N, L, D) of all patches of images (N, C, H, W)."""
        tokens = self.backbone.tokens(images)[1]
        return nn.functional.layer_norm(tokens, tokens.shape[-1:])

    def trained_modules(self) -> Iterable[nn.Module]:
        return [self.context_encoder, self.predictor]

    def parameter_groups(self) -> Iterable[dict[str, Any]]:
        return sslreg.split_weight_decay(self)

    def after_step(self) -> None:
        """Move the teacher towards the context encoder."""
        sslreg.follow(self.backbone, self.context_encoder, self.momentum.value)
        self.momentum.advance()


def find_padding(context: Tensor, targets: Tensor) -> Tensor | None:
    """Return which patches of the context (N, K) and then of each target block (N, M, T) are -1: bool (N, M, K + T).

    Returns:
        None if no patch is.
    """
    padding = torch.cat([context.unsqueeze(1).expand(-1, targets.shape[1], -1), targets], dim=2) < 0
    return padding if padding.any() else None
