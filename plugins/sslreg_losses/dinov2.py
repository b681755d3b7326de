"""The loss of DINOv2 (arXiv 2304.07193)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor
from torch.nn.functional import log_softmax

import sslreg
from sslreg_losses._batch_statistics import promote
from sslreg_losses._contrastive_loss import Temperature
from sslreg_losses._koleo import koleo
from sslreg_losses._masked_prediction import masked_cross_entropy
from sslreg_losses._sinkhorn_knopp import assign_evenly
from sslreg_losses._swapped_prediction import swapped_cross_entropy


class DINOv2Loss(sslreg.Loss):
    """The losses of DINO and iBOT, with the assignments of SwAV as targets, and KoLeo (section 4).

    The Sinkhorn-Knopp algorithm assigns the class tokens of all global views to the outputs of a head, and separately
    all masked patches, each evenly over all processes.

    Args:
        student_temperature: What the student's output is divided by.
        teacher_temperature: What the teacher's output is divided by, at the end of its warm-up.
        warmup_teacher_temperature: The same in the first step.
        warmup_teacher_temperature_epochs: The number of epochs between the two.
        sinkhorn_iterations: The number of rounds of the Sinkhorn-Knopp algorithm.
        koleo_weight: The weight of KoLeo, summed over the global views.
    """

    takes = "class tokens, masked patches and features"
    compares_batch = True

    def __init__(
        self,
        steps_per_epoch: Annotated[int, sslreg.FromRun("steps_per_epoch")],
        student_temperature: Temperature = 0.1,
        teacher_temperature: Temperature = 0.07,
        warmup_teacher_temperature: Temperature = 0.04,
        warmup_teacher_temperature_epochs: NonNegativeInt = 30,
        sinkhorn_iterations: PositiveInt = 3,
        koleo_weight: NonNegativeFloat = 0.1,
    ) -> None:
        super().__init__()
        self.student_temperature = student_temperature
        self.teacher_temperature = sslreg.LinearValue(
            warmup_teacher_temperature, teacher_temperature, warmup_teacher_temperature_epochs * steps_per_epoch
        )
        self.sinkhorn_iterations = sinkhorn_iterations
        self.koleo_weight = koleo_weight
        self._is_staged = False

    def forward(
        self,
        student: Sequence[Tensor],
        teacher: Sequence[Tensor],
        student_patches: Tensor,
        teacher_patches: Tensor,
        masks: Tensor,
        features: Sequence[Tensor],
    ) -> Tensor:
        """Return the weighted sum of the three losses.

        Args:
            student: The output (N, K) of the student for the class tokens of all views, the global ones first.
            teacher: The output (N, K) of the teacher for those of the global views, in the same order.
            student_patches: The output (R, K) of the student for the masked patches, in the order of `masks`.
            teacher_patches: The output (R, K) of the teacher for the same patches, which are not masked for it.
            masks: The masked patches of each global view and image, bool (V, N, L).
            features: The class tokens (N, D) of the student for the global views, before the head.
        """
        self._is_staged = True
        targets = torch.stack(self.assign(torch.cat([*teacher])).chunk(len(teacher)))
        log_predictions = log_softmax(promote(torch.stack([*student])) / self.student_temperature, dim=2)
        log_patch_predictions = log_softmax(promote(student_patches) / self.student_temperature, dim=1)
        between_views = swapped_cross_entropy(targets, log_predictions)
        of_patches = masked_cross_entropy(self.assign(teacher_patches), log_patch_predictions, masks)
        return between_views + of_patches + self.koleo_weight * torch.stack([koleo(one) for one in features]).sum()

    def assign(self, output: Tensor) -> Tensor:
        """Return the targets (R, K) for the output (R, K) of the teacher."""
        return assign_evenly(promote(output) / self.teacher_temperature.value, self.sinkhorn_iterations)

    def commit(self) -> None:
        """Count the step."""
        super().commit()
        if self._is_staged:
            self.teacher_temperature.advance()
        self._is_staged = False

    def discard(self) -> None:
        super().discard()
        self._is_staged = False
