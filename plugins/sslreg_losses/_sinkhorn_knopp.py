"""The Sinkhorn-Knopp algorithm, which assigns samples evenly to prototypes, as in SwAV and DINOv2."""

from __future__ import annotations

import torch
from torch import Tensor

from sslreg import distributed


@torch.no_grad()
def assign_evenly(logits: Tensor, iterations: int) -> Tensor:
    """Return probabilities (N, K) of prototypes for each row, whose totals over the rows of all processes are equal.

    Processes may have different numbers of rows. Logarithms avoid an overflow. A factor of all probabilities has no
    effect, so none is applied.

    Args:
        logits: Scores (N, K), divided by their temperature.
        iterations: The number of rounds, which normalize each prototype and then each row.
    """
    for _ in range(iterations):
        log_totals = distributed.gather_rows(logits.logsumexp(dim=0, keepdim=True))
        logits = (logits - log_totals.logsumexp(dim=0)).log_softmax(dim=1)
    return logits.exp()
