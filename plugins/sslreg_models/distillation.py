"""Distillation: a small network learns the features of a large one, without labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

import sslreg


class Distillation(sslreg.Model):
    """Distillation: a student learns the features that a frozen teacher has for the same view.

    A linear layer projects the student's features to the teacher's width, as in lightly-train. Student and teacher may
    be of different kinds: a ResNet learns from a Vision Transformer, and the reverse. The teacher computes each view
    once, in eval mode, and is in no checkpoint.

    Args:
        backbone: The student, which is used after the training.
        teacher: The teacher, with ``weights``.
        features: What the loss compares: the ``pooled`` features of images, or those of ``patches``. If the student has
            another grid of patches than the teacher, its features are interpolated. The patches of a ResNet are the
            positions of its last feature map.
        teacher_dtype: The type in which the teacher computes. Half precision takes less memory and, on most GPUs, less
            time.

    Raises:
        ValueError: `features` is ``patches``, but a backbone has none.
    """

    gives = ("student and teacher features",)
    views = (1, None)

    def __init__(
        self,
        backbone: sslreg.Backbone,
        teacher: sslreg.Backbone,
        features: Literal["pooled", "patches"] = "pooled",
        teacher_dtype: Literal["float16", "bfloat16", "float32", "float64"] = "float32",
    ) -> None:
        super().__init__()
        self.features = features
        self.embedding_dim = self.width_of(teacher)
        self.backbone = backbone
        self.projection = nn.Linear(self.width_of(backbone), self.embedding_dim)
        self.teacher = sslreg.frozen(teacher.to(getattr(torch, teacher_dtype)))

    def width_of(self, backbone: sslreg.Backbone) -> int:
        """Return the width of a backbone's features.

        Raises:
            ValueError: The method needs features of patches, which the backbone does not have.
        """
        if self.features == "pooled":
            return backbone.num_features
        backbone.require_patches()
        return backbone.token_features if isinstance(backbone, sslreg.PatchBackbone) else backbone.num_features

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        targets = sslreg.forward_by_size(self.embed_by_teacher, batch.views)
        students = sslreg.forward_by_size(self.embed_by_student, batch.views)
        if self.features == "patches":
            students = [resize_grid(student, target) for student, target in zip(students, targets, strict=True)]
            students, targets = ([patches.flatten(1, 2) for patches in side] for side in (students, targets))
        losses = [loss(student, target) for student, target in zip(students, targets, strict=True)]
        embeddings = students[0] if self.features == "pooled" else students[0].mean(dim=1)
        return sslreg.StepOutput(torch.stack(losses).mean(), embeddings=embeddings)

    def embed_by_student(self, images: Tensor) -> Tensor:
        """Return the student's features of images (N, C, H, W), projected: (N, D), or (N, rows, columns, D)."""
        projected: Tensor = self.projection(self._embedding_of(self.backbone)(images))
        return projected

    def embed_by_teacher(self, images: Tensor) -> Tensor:
        """Return the teacher's features of images (N, C, H, W): (N, D), or (N, rows, columns, D).

        Raises:
            ValueError: The teacher refuses the images.
        """
        try:
            return self._embedding_of(self.teacher)(images)
        except ValueError as error:
            raise ValueError(f"the teacher refuses the views: {error}") from error

    def _embedding_of(self, backbone: sslreg.Backbone) -> Callable[[Tensor], Tensor]:
        return backbone if self.features == "pooled" else backbone.patches


def resize_grid(patches: Tensor, other: Tensor) -> Tensor:
    """Interpolate features of patches (N, rows, columns, D) to the grid of others, bilinearly."""
    grid = other.shape[1:3]
    if patches.shape[1:3] == grid:
        return patches
    resized = interpolate(patches.permute(0, 3, 1, 2), size=grid, mode="bilinear", align_corners=False)
    return resized.permute(0, 2, 3, 1)
