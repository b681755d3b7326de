"""DCL, the decoupled contrastive loss."""

from __future__ import annotations

from torch import Tensor

import sslreg
from sslreg_losses._contrastive import ContrastiveLoss, Negatives, Temperature


class DCLLoss(ContrastiveLoss):
    """NT-Xent with the positive left out of the denominator."""

    def __init__(
        self,
        temperature: Temperature = 0.1,
        memory_bank: sslreg.MemoryBank | None = None,
        gather_distributed: bool = False,
        negatives: Negatives | None = None,
        symmetric: bool | None = None,
    ) -> None:
        super().__init__(temperature, memory_bank, gather_distributed, negatives, symmetric)

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        positives, log_negatives = self.compare(views)
        return (log_negatives.nan_to_num(neginf=0.0) - positives.mean(1)).mean()
