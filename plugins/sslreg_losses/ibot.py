"""The loss of iBOT (arXiv 2111.07832)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field, NonNegativeInt
from torch import Tensor
from torch.nn.functional import log_softmax

import sslreg
from sslreg_losses._batch_statistics import promote
from sslreg_losses._centered_softmax import CenteredSoftmax
from sslreg_losses._contrastive_loss import Temperature
from sslreg_losses._masked_prediction import masked_cross_entropy
from sslreg_losses._swapped_prediction import swapped_cross_entropy


class IBOTLoss(sslreg.Loss):
    """DINO's loss of class tokens between views, and the same cross-entropy of masked patches within a view.

    Section 3.1. Class tokens and patches have separate centers and temperatures. The center of patches is the average
    over the masked ones, as in the code of DINOv2.

    Args:
        student_temperature: What the student's output is divided by.
        teacher_temperature: What the teacher's output for class tokens is divided by, at the end of its warm-up.
        warmup_teacher_temperature: The same in the first step.
        teacher_patch_temperature: What the teacher's output for patches is divided by, at the end of its warm-up.
        warmup_teacher_patch_temperature: The same in the first step.
        warmup_teacher_temperature_epochs: The number of epochs between the first step and the end of the warm-up.
        center_momentum: The share of the center of class tokens that a step keeps, the paper's m.
        patch_center_momentum: The same of patches, the paper's m'.
    """

    takes = "class tokens and masked patches"

    def __init__(
        self,
        embedding_dim: Annotated[int, sslreg.FromRun("embedding_dim")],
        steps_per_epoch: Annotated[int, sslreg.FromRun("steps_per_epoch")],
        student_temperature: Temperature = 0.1,
        teacher_temperature: Temperature = 0.07,
        warmup_teacher_temperature: Temperature = 0.04,
        teacher_patch_temperature: Temperature = 0.07,
        warmup_teacher_patch_temperature: Temperature = 0.04,
        warmup_teacher_temperature_epochs: NonNegativeInt = 30,
        center_momentum: Annotated[float, Field(ge=0, le=1)] = 0.9,
        patch_center_momentum: Annotated[float, Field(ge=0, le=1)] = 0.9,
    ) -> None:
        super().__init__()
        self.student_temperature = student_temperature
        steps = warmup_teacher_temperature_epochs * steps_per_epoch
        temperature = sslreg.LinearValue(warmup_teacher_temperature, teacher_temperature, steps)
        patch_temperature = sslreg.LinearValue(warmup_teacher_patch_temperature, teacher_patch_temperature, steps)
        self.class_softmax = CenteredSoftmax(embedding_dim, temperature, center_momentum)
        self.patch_softmax = CenteredSoftmax(embedding_dim, patch_temperature, patch_center_momentum)

    def forward(
        self,
        student: Sequence[Tensor],
        teacher: Sequence[Tensor],
        student_patches: Tensor,
        teacher_patches: Tensor,
        masks: Tensor,
    ) -> Tensor:
        """Return the sum of both losses.

        Args:
            student: The output (N, K) of the student for the class tokens of all views, the global ones first.
            teacher: The output (N, K) of the teacher for those of the global views, in the same order.
            student_patches: The output (R, K) of the student for the masked patches, in the order of `masks`.
            teacher_patches: The output (R, K) of the teacher for the same patches, which are not masked for it.
            masks: The masked patches of each global view and image, bool (V, N, L).
        """
        targets, patch_targets = self.class_softmax(torch.stack([*teacher])), self.patch_softmax(teacher_patches)
        log_predictions = log_softmax(promote(torch.stack([*student])) / self.student_temperature, dim=2)
        log_patch_predictions = log_softmax(promote(student_patches) / self.student_temperature, dim=1)
        between_views = swapped_cross_entropy(targets, log_predictions)
        return between_views + masked_cross_entropy(patch_targets, log_patch_predictions, masks)

    def commit(self) -> None:
        """Move both centers, and count the step."""
        super().commit()
        self.class_softmax.commit()
        self.patch_softmax.commit()

    def discard(self) -> None:
        super().discard()
        self.class_softmax.discard()
        self.patch_softmax.discard()
