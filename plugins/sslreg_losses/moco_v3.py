"""The loss of MoCo v3 (arXiv 2104.02057)."""

from __future__ import annotations

from torch import Tensor

from sslreg_losses._contrastive_loss import Temperature
from sslreg_losses.nt_xent import NTXentLoss


class MoCoV3Loss(NTXentLoss):
    """InfoNCE with the keys of the batch of all processes as candidates, times 2 temperature (algorithm 1, ``ctr``).

    The factor makes the gradient less dependent on the temperature.

    Args:
        temperature: What cosine similarities are divided by: 1 for ResNets, 0.2 for vision transformers.
    """

    takes = "prediction and target"
    compares_batch = True

    def __init__(self, temperature: Temperature = 1.0) -> None:
        super().__init__(temperature, gather_distributed=True, symmetric=False)

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        """Return the mean over predictions (N, D), each of which should find its target; targets get no gradient."""
        prediction, target = views
        return 2 * self.temperature * super().forward(prediction, target.detach())
