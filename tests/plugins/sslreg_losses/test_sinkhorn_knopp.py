"""The Sinkhorn-Knopp algorithm."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sslreg_losses import _sinkhorn_knopp
from sslreg_losses._sinkhorn_knopp import assign_evenly


def assign_by_whole_matrices(logits: Tensor, iterations: int) -> Tensor:
    """Normalize columns and rows in turn, in float64."""
    probabilities = (logits.double() - logits.double().max()).exp()
    for _ in range(iterations):
        probabilities = probabilities / probabilities.sum(dim=0)
        probabilities = probabilities / probabilities.sum(dim=1, keepdim=True)
    return probabilities


@pytest.mark.parametrize("values", [1, 200, 1 << 18], ids=["a tile for each row", "uneven tiles", "one tile"])
@pytest.mark.parametrize("iterations", [1, 3])
def test_tiles_give_the_result_of_whole_matrices(values: int, iterations: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sinkhorn_knopp, "_VALUES_PER_THREAD", values)
    logits = 20 * torch.randn(37, 60, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        assign_evenly(logits, iterations), assign_by_whole_matrices(logits, iterations).float(), atol=1e-6, rtol=1e-4
    )


def test_rows_are_shared_evenly_by_the_prototypes() -> None:
    logits = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    assigned = assign_evenly(logits, 50)
    torch.testing.assert_close(assigned.sum(dim=0), torch.full((8,), 8.0), atol=1e-3, rtol=0)


def test_no_rows_are_assigned_to_nothing() -> None:
    assert assign_evenly(torch.zeros(0, 5), 3).shape == (0, 5)


def test_large_scores_do_not_overflow() -> None:
    assigned = assign_evenly(torch.tensor([[1e4, -1e4], [-1e4, 1e4]]), 3)
    torch.testing.assert_close(assigned, torch.eye(2))
