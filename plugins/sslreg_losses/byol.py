"""The loss of BYOL (arXiv 2006.07733)."""

from __future__ import annotations

from torch import Tensor

import sslreg
from sslreg_losses._cosine_similarity import mean_cosine_similarity


class BYOLLoss(sslreg.Loss):
    """The squared distance between the directions of predictions and targets, 2 - 2 cos, from 0 to 4 (equation 2).

    It compares no samples with each other: without a predictor and a momentum encoder, embeddings would collapse.
    """

    takes = "prediction and target"

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean over the rows of predictions and targets (N, D); targets get no gradient."""
        return 2 - 2 * mean_cosine_similarity(prediction, target)
