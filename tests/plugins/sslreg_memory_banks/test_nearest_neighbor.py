"""The nearest-neighbor bank finds each query's nearest row by cosine."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from sslreg.evaluation import nearest_neighbors
from sslreg_memory_banks import NearestNeighborMemoryBank


def filled(keys: torch.Tensor, size: int = 100) -> NearestNeighborMemoryBank:
    bank = NearestNeighborMemoryBank(size, keys.shape[1])
    bank.enqueue(keys)
    bank.commit()
    return bank


@pytest.mark.parametrize("keys_at_a_time", [1, 7, 100])
def test_equals_lightly(monkeypatch: pytest.MonkeyPatch, keys_at_a_time: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lightly.models.modules import NNMemoryBankModule
    monkeypatch.setattr(nearest_neighbors, "KEYS", keys_at_a_time)
    keys, queries = torch.randn(100, 8), torch.randn(30, 8) * 10
    theirs = NNMemoryBankModule((100, 8))
    theirs.bank.copy_(normalize(keys))
    torch.testing.assert_close(filled(keys).nearest(queries), theirs(queries))


def test_rows_that_were_never_written_are_no_neighbors() -> None:
    bank = filled(torch.tensor([[-1.0, 0.0], [-3.0, -4.0]]))
    torch.testing.assert_close(bank.nearest(torch.tensor([[1.0, 0.1]])), torch.tensor([[-0.6, -0.8]]))


def test_an_empty_bank_gives_the_queries_back() -> None:
    queries = torch.tensor([[3.0, 4.0]], requires_grad=True)
    nearest = NearestNeighborMemoryBank(4, 2).nearest(queries)
    torch.testing.assert_close(nearest, torch.tensor([[0.6, 0.8]]))
    assert not nearest.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_answers_in_the_type_of_the_queries(dtype: Any) -> None:
    keys = torch.eye(3)
    assert torch.equal(filled(keys).nearest(torch.eye(3, dtype=dtype) * 5), torch.eye(3, dtype=dtype))


def test_refuses_queries_of_another_dim() -> None:
    with pytest.raises(ValueError, match=r"dim 3, but the queries have shape \(2, 4\)"):
        filled(torch.eye(3)).nearest(torch.ones(2, 4))
