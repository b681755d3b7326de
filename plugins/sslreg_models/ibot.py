"""iBOT: image BERT pre-training with online tokenizer (arXiv 2111.07832)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

import sslreg
from sslreg_models.dino_head import TokenHead
from sslreg_models.self_distillation import SelfDistillation


class IBOT(SelfDistillation):
    """iBOT: DINO, whose student also predicts the teacher's output for masked patches (section 3.1, algorithm 1).

    The student sees the global views with masks, the teacher without them. The backbone that is used after the training
    is the teacher's.

    Args:
        backbone: The encoder f of student and teacher, with a class token.
        masks: Draws the masked patches of each global view (its targets, one set per image); by default ``block``.
        projection: The widths of the layers of the projection head h before its last one.
        batch_norm: Whether batch normalization follows these layers but the last of them. Narrow heads need
            it: their small initial weights let the biases drown what differs between images.
        out_dim: The width of the output, the paper's K.
        shared_head: Whether class tokens and patches have the same head.
        momentum: The share of the teacher that the first step keeps, the paper's lambda. It grows to 1 along half a
            cosine over the run.
        freeze_last_layer_epochs: The number of epochs at the start in which the last layer keeps its random weights.

    Raises:
        ValueError: The backbone has no class token.
    """

    gives = ("class tokens and masked patches",)
    roles: ClassVar = {"global": (2, None), "local": (0, None)}

    student_backbone: sslreg.PatchBackbone
    backbone: sslreg.PatchBackbone

    def __init__(
        self,
        backbone: sslreg.PatchBackbone,
        steps_per_epoch: Annotated[int, sslreg.FromRun("steps_per_epoch")],
        total_steps: Annotated[int, sslreg.FromRun("total_steps")],
        masks: sslreg.MaskSampler | None = None,
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (2048, 2048, 256),
        batch_norm: bool = False,
        out_dim: PositiveInt = 8192,
        shared_head: bool = True,
        momentum: Annotated[float, Field(ge=0, le=1)] = 0.996,
        freeze_last_layer_epochs: NonNegativeInt = 1,
    ) -> None:
        if not backbone.has_class_token:
            raise ValueError("the method needs a backbone with a class token")
        head = TokenHead(backbone.token_features, projection, out_dim, batch_norm=batch_norm, shared=shared_head)
        super().__init__(backbone, head, momentum, total_steps, freeze_last_layer_epochs * steps_per_epoch)
        self.embedding_dim = out_dim
        self.masks = masks or sslreg.build("mask_sampler", "block")
        self.mask_token = nn.Parameter(torch.zeros(backbone.token_features))

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        global_views, local_views = batch.views_of("global"), batch.views_of("local")
        if len({view.shape for view in global_views}) > 1:
            raise ValueError("the global views differ in size; crop or resize all of them to one size")
        images, masks = torch.cat(global_views), self.draw_masks(batch, global_views)
        masked = masks.flatten().nonzero()[:, 0].to(images.device)  # the numbers of masked patches
        with torch.no_grad():
            slow_prefix, slow_patches = self.backbone.tokens(images)
            teacher, teacher_patches = self.head(slow_prefix[:, 0], slow_patches.flatten(0, 1)[masked])
        mask = masks.flatten(0, 1).to(images.device)
        prefix, patches = self.student_backbone.tokens(images, mask=mask, mask_token=self.mask_token)
        class_tokens = [*prefix[:, 0].chunk(len(global_views)), *sslreg.forward_by_size(self.embed_class, local_views)]
        student, student_patches = self.student_head(torch.cat(class_tokens), patches.flatten(0, 1)[masked])
        outputs = student.chunk(len(class_tokens)), teacher.chunk(len(global_views)), student_patches, teacher_patches
        value = self.compute_loss(loss, (*outputs, masks), class_tokens[: len(global_views)])
        return sslreg.StepOutput(value, embeddings=slow_prefix[: len(batch), 0])

    def compute_loss(self, loss: sslreg.Loss, outputs: tuple[Any, ...], class_tokens: list[Tensor]) -> Tensor:
        """Return the loss of the outputs of the heads, and of the student's class tokens (N, D) of the global views."""
        value: Tensor = loss(*outputs)
        return value

    def draw_masks(self, batch: sslreg.Batch, views: list[Tensor]) -> Tensor:
        """Return the masked patches of each view and image: bool (V, N, L), on the CPU."""
        grid = self.backbone.grid(views[0])
        masks = [self.masks.sample(batch.keys(f"masks of view {number}"), grid) for number in range(len(views))]
        targets = torch.stack([each.targets for each in masks])
        if targets.shape[2] != 1:
            raise ValueError(
                f"masks: the sampler draws {targets.shape[2]} sets of patches for an image, but the method masks one; "
                "use another sampler, such as block"
            )
        return targets[:, :, 0]

    def embed_class(self, images: Tensor) -> Tensor:
        """Return the student's class tokens (N, D) of images (N, C, H, W)."""
        return self.student_backbone.tokens(images)[0][:, 0]
