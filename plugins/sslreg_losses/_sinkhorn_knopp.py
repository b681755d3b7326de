"""The Sinkhorn-Knopp algorithm, which assigns samples evenly to prototypes, as in SwAV and DINOv2."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from sslreg import distributed

#: The values of a tile per thread: a megabyte in float32, so that its intermediate results stay in the cache.
_VALUES_PER_THREAD = 1 << 18


@torch.no_grad()
def assign_evenly(logits: Tensor, iterations: int) -> Tensor:
    """Return probabilities (N, K) of prototypes for each row, whose totals over the rows of all processes are equal.

    Processes may have different numbers of rows. Logarithms avoid an overflow. A factor of all probabilities has no
    effect, so none is applied.

    Args:
        logits: Scores (N, K), divided by their temperature.
        iterations: The number of rounds, which normalize each prototype and then each row.
    """
    # A round only scales columns and then rows. The factors of columns are kept, and those of rows are computed from
    # them again, so that no matrix is written before the end.
    rows = _rows_per_tile(logits)
    tiles = torch.split(logits, rows)
    log_factors = _log_totals(tiles)
    for _ in range(iterations - 1):
        log_factors = log_factors + _log_totals((tile - log_factors).log_softmax(dim=1) for tile in tiles)
    probabilities = torch.empty_like(logits)
    for tile, assigned in zip(tiles, torch.split(probabilities, rows), strict=True):
        torch.softmax(tile - log_factors, dim=1, out=assigned)
    return probabilities


def _rows_per_tile(logits: Tensor) -> int:
    """Return the number of rows that are computed at once: on accelerators, which read a matrix much faster, all."""
    if logits.device.type != "cpu":
        return max(1, len(logits))
    return max(1, _VALUES_PER_THREAD * torch.get_num_threads() // logits.shape[1])


def _log_totals(tiles: Iterable[Tensor]) -> Tensor:
    """Return the logarithms (K,) of the totals of columns over the rows of all tiles and processes."""
    own = torch.stack([tile.logsumexp(dim=0) for tile in tiles]).logsumexp(dim=0, keepdim=True)
    return distributed.gather_rows(own).logsumexp(dim=0)
