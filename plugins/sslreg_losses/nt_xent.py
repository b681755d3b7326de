"""NT-Xent, the normalized temperature-scaled cross-entropy of SimCLR and, with a bank, of MoCo."""

from __future__ import annotations

import torch
from torch import Tensor

import sslreg
from sslreg_losses._contrastive import ContrastiveLoss, Negatives, Temperature


class NTXentLoss(ContrastiveLoss):
    """For each embedding, -log softmax of its positive's similarity among that of all its candidates."""

    def __init__(
        self,
        temperature: Temperature = 0.5,
        memory_bank: sslreg.MemoryBank | None = None,
        gather_distributed: bool = False,
        negatives: Negatives | None = None,
        symmetric: bool | None = None,
    ) -> None:
        super().__init__(temperature, memory_bank, gather_distributed, negatives, symmetric)

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        positives, log_negatives = self.compare(views)
        log_candidates = torch.logaddexp(positives.logsumexp(1), log_negatives)
        return (log_candidates - positives.mean(1)).mean()
