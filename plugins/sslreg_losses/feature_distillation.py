"""The distance of a student's features from a teacher's."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

import sslreg
from sslreg_losses._batch_statistics import promote
from sslreg_losses._cosine_similarity import mean_cosine_similarity


class FeatureDistillationLoss(sslreg.Loss):
    """The distance of a student's features from those that a teacher has for the same view.

    Args:
        distance: ``cosine``, 1 - cos, which ignores the lengths of features, or ``squared``, the mean squared error, as
            in lightly-train's ``distillationv2``. The latter depends on the scale of the teacher's features.
    """

    takes = "student and teacher features"

    def __init__(self, distance: Literal["cosine", "squared"] = "cosine") -> None:
        super().__init__()
        self.distance = distance

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the mean over images and patches.

        Args:
            student: The features (N, D) of images, or those (N, L, D) of their patches, projected to the teacher's
                width.
            teacher: The same of the teacher, which get no gradient.

        Raises:
            ValueError: The two differ in shape.
            SslregError: A value is not finite.
        """
        if self.distance == "cosine":
            return 1 - mean_cosine_similarity(student, teacher)
        if student.shape != teacher.shape:
            raise ValueError(f"features {tuple(student.shape)} and {tuple(teacher.shape)} differ in shape")
        return (promote(student) - promote(teacher.detach())).square().mean()
