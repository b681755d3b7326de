"""The cross-entropy of similarities to a teacher's features, as in SEED (arXiv 2101.04731)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softmax

import sslreg
from sslreg import distributed
from sslreg_losses._autocast_and_compile import disable_autocast
from sslreg_losses._contrastive_loss import Temperature
from sslreg_losses._normalization import normalize_rows


class SimilarityDistillationLoss(sslreg.Loss):
    """The cross-entropy between a student's and a teacher's similarities to features of the teacher (section 3.2).

    An image is compared with the images of the batch of all processes and those in the memory bank, by the features
    that the teacher has for them. The softmax of its similarities says which images it resembles; the student learns
    what the teacher says. A patch is compared with all patches of its image.

    SEED compares an image with itself and the memory bank alone. The loss of lightly-train's ``distillationv1`` is
    this one less the teacher's entropy, a constant.

    Args:
        temperature: What cosine similarities are divided by. The default is lightly-train's.
        teacher_temperature: The same for the teacher, for which SEED has a lower one; `temperature` by default.
        memory_bank: Holds the teacher's features of past batches, for features of images.
    """

    takes = "student and teacher features"
    compares_batch = True

    def __init__(
        self,
        temperature: Temperature = 0.07,
        teacher_temperature: Temperature | None = None,
        memory_bank: sslreg.MemoryBank | None = None,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.teacher_temperature = temperature if teacher_temperature is None else teacher_temperature
        self.memory_bank = memory_bank

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the mean over images and patches.

        Args:
            student: The features (N, D) of images, or those (N, L, D) of their patches, projected to the teacher's
                width.
            teacher: The same of the teacher, which get no gradient.

        Raises:
            ValueError: The two differ in shape, or there is a memory bank for features of patches.
            SslregError: A value is not finite.
        """
        if student.shape != teacher.shape:
            raise ValueError(f"features {tuple(student.shape)} and {tuple(teacher.shape)} differ in shape")
        student, teacher = normalize_rows(student), normalize_rows(teacher.detach())
        with disable_autocast(student):
            candidates = self._select_candidates(student, teacher).mT
            targets = softmax(teacher @ candidates / self.teacher_temperature, dim=-1)
            log_predictions = log_softmax(student @ candidates / self.temperature, dim=-1)
            return -(targets * log_predictions).sum(dim=-1).mean()

    def _select_candidates(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the features that all rows are compared with; stage those of the batch for the memory bank."""
        if student.ndim > 2:
            if self.memory_bank is not None:
                raise ValueError("a patch is compared with the patches of its image; omit memory_bank")
            return teacher
        batch = distributed.gather_rows(teacher)
        if self.memory_bank is None:
            return batch
        if student.requires_grad:
            self.memory_bank.enqueue(teacher)
        return torch.cat([batch, self.memory_bank.negatives().to(batch)])
