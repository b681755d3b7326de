"""The loss of DINO (arXiv 2104.14294)."""

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
from sslreg_losses._swapped_prediction import swapped_cross_entropy


class DINOLoss(sslreg.Loss):
    """The cross-entropy of the student's output with the teacher's for each other, global view (equation 2).

    Centering and sharpening of the teacher's output keep it from collapsing (section 3.1). The center is the moving
    average of the output over the views and the batches of all processes (equation 4).

    Args:
        student_temperature: What the student's output is divided by.
        teacher_temperature: What the teacher's output is divided by, at the end of its warm-up.
        warmup_teacher_temperature: The same in the first step.
        warmup_teacher_temperature_epochs: The number of epochs between the two.
        center_momentum: The share of the center that a step keeps, the paper's m.
    """

    takes = "student and teacher"

    def __init__(
        self,
        embedding_dim: Annotated[int, sslreg.FromRun("embedding_dim")],
        steps_per_epoch: Annotated[int, sslreg.FromRun("steps_per_epoch")],
        student_temperature: Temperature = 0.1,
        teacher_temperature: Temperature = 0.07,
        warmup_teacher_temperature: Temperature = 0.04,
        warmup_teacher_temperature_epochs: NonNegativeInt = 30,
        center_momentum: Annotated[float, Field(ge=0, le=1)] = 0.9,
    ) -> None:
        super().__init__()
        self.student_temperature = student_temperature
        temperature = sslreg.LinearValue(
            warmup_teacher_temperature, teacher_temperature, warmup_teacher_temperature_epochs * steps_per_epoch
        )
        self.teacher_softmax = CenteredSoftmax(embedding_dim, temperature, center_momentum)

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Return the mean over all pairs of a view of the teacher and another view of the student.

        Args:
            student: The output (N, K) of the student for all views, the global ones first.
            teacher: The output (N, K) of the teacher for the global views, in the same order. It gets no gradient.
        """
        targets = self.teacher_softmax(torch.stack([*teacher]))
        log_predictions = log_softmax(promote(torch.stack([*student])) / self.student_temperature, dim=2)
        return swapped_cross_entropy(targets, log_predictions)

    def commit(self) -> None:
        """Move the center, and count the step."""
        super().commit()
        self.teacher_softmax.commit()

    def discard(self) -> None:
        super().discard()
        self.teacher_softmax.discard()
