"""DCL, the decoupled contrastive loss: NT-Xent without the positive in the denominator."""

from __future__ import annotations

from torch import Tensor

import sslreg
from sslreg_losses._autocast_and_compile import full_precision, outside_graphs
from sslreg_losses._contrastive import ContrastiveLoss, Negatives, Temperature


class DCLLoss(ContrastiveLoss):
    """The log-sum-exp over each embedding's negatives, less its positive (arXiv 2110.06848, equation 6).

    It learns well from small batches, where NT-Xent's gradient fades as soon as the positive is the nearest
    candidate. An embedding without any negative, as in a batch of one sample, is only drawn to its positive.
    """

    def __init__(
        self,
        temperature: Temperature = 0.1,
        memory_bank: sslreg.MemoryBank | None = None,
        gather_distributed: bool = False,
        negatives: Negatives | None = None,
        symmetric: bool | None = None,
    ) -> None:
        super().__init__(temperature, memory_bank, gather_distributed, negatives, symmetric)

    @outside_graphs
    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        z = self.unit_views(views)
        with full_precision(z):
            positives, log_negatives = self.compare(z)
            return (log_negatives.nan_to_num(neginf=0.0) - positives.mean(1)).mean()
