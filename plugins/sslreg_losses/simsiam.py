"""The loss of SimSiam (arXiv 2011.10566)."""

from __future__ import annotations

from torch import Tensor

import sslreg
from sslreg_losses._cosine_similarity import mean_cosine_similarity


class SimSiamLoss(sslreg.Loss):
    """The negative cosine similarity of predictions and targets, from -1 to 1 (equations 1 and 3).

    It compares no samples with each other: without a predictor and the stop-gradient, embeddings would collapse.
    """

    takes = "prediction and target"

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean over the rows of predictions and targets (N, D); targets get no gradient."""
        return -mean_cosine_similarity(prediction, target)
