"""DCL, the decoupled contrastive loss: NT-Xent without the positive in the denominator."""

from __future__ import annotations

from torch import Tensor

import sslreg
from sslreg_losses._autocast_and_compile import disable_autocast, disable_compile
from sslreg_losses._contrastive_loss import ContrastiveLoss, Negatives, Temperature


class DCLLoss(ContrastiveLoss):
    """The log-sum-exp over each embedding's negatives, minus its positive (arXiv 2110.06848, equation 6).

    It learns well from small batches, where the gradient of NT-Xent vanishes as soon as the positive is the nearest
    candidate. An embedding without negatives, as in a batch of one sample, is only attracted by its positive.
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

    @disable_compile
    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        z = self.normalize_views(views)
        with disable_autocast(z):
            positives, log_negatives = self.compute_logits(z)
            return (log_negatives.nan_to_num(neginf=0.0) - positives.mean(1)).mean()
