"""The loss of SwAV (arXiv 2006.09882)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import PositiveInt
from torch import Tensor
from torch.nn.functional import log_softmax

import sslreg
from sslreg_losses._batch_statistics import promote
from sslreg_losses._contrastive_loss import Temperature
from sslreg_losses._sinkhorn_knopp import assign_evenly
from sslreg_losses._swapped_prediction import swapped_cross_entropy


class SwAVLoss(sslreg.Loss):
    """The cross-entropy of the prototypes of each view with the codes of each other, global view (equations 1 and 2).

    Codes assign the samples of all processes, and those of a queue, evenly to the prototypes (equations 3 to 5).

    Args:
        temperature: What scores are divided by in predictions, the paper's tau.
        epsilon: What scores are divided by in codes. Larger values make codes smoother.
        sinkhorn_iterations: The number of rounds of the Sinkhorn-Knopp algorithm.
    """

    takes = "prototype scores"
    compares_batch = True

    def __init__(
        self,
        temperature: Temperature = 0.1,
        epsilon: Temperature = 0.05,
        sinkhorn_iterations: PositiveInt = 3,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.epsilon = epsilon
        self.sinkhorn_iterations = sinkhorn_iterations

    def forward(
        self,
        global_scores: Sequence[Tensor],
        local_scores: Sequence[Tensor] = (),
        queue_scores: Sequence[Tensor] = (),
    ) -> Tensor:
        """Return the mean over all pairs of a global view, which gives codes, and another view.

        Args:
            global_scores: The cosine similarities (N, K) of the global views with the prototypes.
            local_scores: The same of the local views.
            queue_scores: The same (Q, K) of this process's share of the queue of each global view. They enter the
                codes alone.
        """
        scores = promote(torch.stack([*global_scores, *local_scores]))
        with torch.no_grad():
            queues = [promote(queue) for queue in queue_scores] or [scores[0, :0]] * len(global_scores)
            codes = torch.stack([self.assign(own, queue) for own, queue in zip(scores, queues, strict=False)])
        return swapped_cross_entropy(codes, log_softmax(scores / self.temperature, dim=2))

    def assign(self, scores: Tensor, queue: Tensor) -> Tensor:
        """Return the codes (N, K) of scores (N, K), which are assigned together with those of a queue (Q, K)."""
        return assign_evenly(torch.cat([scores, queue]) / self.epsilon, self.sinkhorn_iterations)[: len(scores)]
