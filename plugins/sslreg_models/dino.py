"""DINO: emerging properties in self-supervised vision transformers (arXiv 2104.14294)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field, NonNegativeInt, PositiveInt

import sslreg
from sslreg_models.dino_head import DINOHead
from sslreg_models.self_distillation import SelfDistillation


class DINO(SelfDistillation):
    """DINO: a student matches, for all views, the output of its slow copy, the teacher, for global views (algorithm 1).

    The backbone that is used after the training is the teacher's.

    Args:
        backbone: The encoder f of student and teacher. It has to support the sizes of all views.
        projection: The widths of the layers of the projection head h before its last one.
        batch_norm: Whether batch normalization follows these layers but the last of them.
        out_dim: The width of the output, the paper's K.
        momentum: The share of the teacher that the first step keeps, the paper's lambda. It grows to 1 along half a
            cosine over the run.
        freeze_last_layer_epochs: The number of epochs at the start in which the last layer keeps its random weights.
    """

    gives = ("student and teacher",)
    roles: ClassVar = {"global": (2, None), "local": (0, None)}

    def __init__(
        self,
        backbone: sslreg.Backbone,
        steps_per_epoch: Annotated[int, sslreg.FromRun("steps_per_epoch")],
        total_steps: Annotated[int, sslreg.FromRun("total_steps")],
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (2048, 2048, 256),
        batch_norm: bool = False,
        out_dim: PositiveInt = 65536,
        momentum: Annotated[float, Field(ge=0, le=1)] = 0.996,
        freeze_last_layer_epochs: NonNegativeInt = 1,
    ) -> None:
        head = DINOHead(backbone.num_features, projection, out_dim, batch_norm=batch_norm)
        super().__init__(backbone, head, momentum, total_steps, freeze_last_layer_epochs * steps_per_epoch)
        self.embedding_dim = out_dim

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        global_views, local_views = batch.views_of("global"), batch.views_of("local")
        features = sslreg.forward_by_size(self.student_backbone, [*global_views, *local_views])
        student = self.student_head(torch.cat(features)).chunk(len(features))
        with torch.no_grad():
            slow_features = sslreg.forward_by_size(self.backbone, global_views)
            teacher = self.head(torch.cat(slow_features)).chunk(len(slow_features))
        # Centering makes the output's common part harmless, which the collapse watch would mistake for a collapse.
        return sslreg.StepOutput(loss(student, teacher), embeddings=slow_features[0])
