"""NT-Xent, the normalized temperature-scaled cross-entropy of SimCLR and, with a memory bank, of MoCo."""

from __future__ import annotations

import torch
from torch import Tensor

from sslreg_losses._autocast_and_compile import full_precision, outside_graphs
from sslreg_losses._contrastive import ContrastiveLoss


class NTXentLoss(ContrastiveLoss):
    """-log softmax of each embedding's positive among its candidates: the positive and all negatives.

    SimCLR (arXiv 2002.05709), equation 1, and with a bank and one direction MoCo (arXiv 1911.05722), equation 1, where
    the first view is the query and the second the key. Of more than two views, each sample's others are all positives,
    and the loss is the mean over them (the outer sum of arXiv 2004.11362, equation 2, with the sample as its class).

    Values and gradients are exact, and no matrix of all logits is ever formed.
    """

    @outside_graphs
    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        z = self.unit_views(views)
        with full_precision(z):
            positives, log_negatives = self.compare(z)
            log_candidates = torch.logaddexp(positives.logsumexp(1), log_negatives)
            return (log_candidates - positives.mean(1)).mean()
