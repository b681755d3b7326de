"""SupCon, the supervised contrastive loss: NT-Xent whose positives are all embeddings of the same class."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from sslreg import distributed
from sslreg_losses._autocast_and_compile import disable_autocast, disable_compile
from sslreg_losses._contrastive_loss import ContrastiveLoss, Temperature


class SupConLoss(ContrastiveLoss):
    """-log softmax of each embedding's positives among all other embeddings, averaged over its positives.

    This is L_out of arXiv 2004.11362, equation 2. The positives are the other views of the sample and all views of the
    batch's other samples with the same target. Targets are class numbers (N,).
    """

    takes: ClassVar[str] = "labeled views"

    def __init__(self, temperature: Temperature = 0.1, gather_distributed: bool = False) -> None:
        super().__init__(temperature, gather_distributed=gather_distributed)

    @disable_compile
    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        z = self.normalize_views(views)
        with disable_autocast(z):
            same_sample, log_negatives = self.compute_logits(z)
            log_candidates = torch.logaddexp(same_sample.logsumexp(1), log_negatives)
            return (log_candidates - self._mean_positive_logit(z, targets)).mean()

    def _mean_positive_logit(self, z: Tensor, targets: Tensor | None) -> Tensor:
        """Return each row's mean logit with its positives, (R,): its product with the sum of its class minus itself."""
        if targets is None or targets.shape != z.shape[1:2]:
            shape = None if targets is None else tuple(targets.shape)
            raise ValueError(
                f"SupCon needs a target for each of the {z.shape[1]} samples, but the targets have shape {shape}"
            )
        rows, labels = z.flatten(0, 1), targets.repeat(len(z))
        everyone, first = rows, 0
        if self.gather_distributed:
            everyone, labels = distributed.gather_rows(rows), distributed.gather_rows(labels)
            first = distributed.rank() * len(rows)
        classes, number, sizes = torch.unique(labels, return_inverse=True, return_counts=True)
        sums = rows.new_zeros(len(classes), rows.shape[1]).index_add(0, number, everyone)
        own = number[first : first + len(rows)]
        positives: Tensor = sizes[own] - 1
        return (rows * (sums[own] - rows)).sum(1) / positives / self.temperature
