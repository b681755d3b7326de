"""NT-Xent, the normalized temperature-scaled cross-entropy of SimCLR and, with a memory bank, of MoCo."""

from __future__ import annotations

import torch
from torch import Tensor

from sslreg_losses._autocast_and_compile import disable_autocast, disable_compile
from sslreg_losses._contrastive_loss import ContrastiveLoss


class NTXentLoss(ContrastiveLoss):
    """-log softmax of each embedding's positive among its candidates: the positive and all negatives.

    This is equation 1 of SimCLR (arXiv 2002.05709). With a memory bank and `symmetric: false` it is equation 1 of MoCo
    (arXiv 1911.05722), with the first view as the query and the second as the key. With more than two views, all other
    views of a sample are its positives, and the loss is the mean over them (the outer sum of arXiv 2004.11362, equation
    2, with the sample as its class).

    Values and gradients are exact, and the matrix of all logits never exists.
    """

    @disable_compile
    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        z = self.normalize_views(views)
        with disable_autocast(z):
            positives, log_negatives = self.compute_logits(z)
            log_candidates = torch.logaddexp(positives.logsumexp(1), log_negatives)
            return (log_candidates - positives.mean(1)).mean()
