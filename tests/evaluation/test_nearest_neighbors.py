"""The search for nearest neighbors, compared with a plain one over all similarities at once."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sslreg.evaluation import nearest_neighbors as module
from sslreg.evaluation.nearest_neighbors import largest, nearest_neighbors

CHUNKS = pytest.mark.parametrize(("keys_at_a_time", "queries_at_a_time"), [(65_536, 256), (100, 16), (7, 3)])


def embeddings(rows: int, seed: int) -> Tensor:
    return torch.randn(rows, 12, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("k", [1, 7, 60])
@CHUNKS
def test_neighbors_do_not_depend_on_the_chunks(
    monkeypatch: pytest.MonkeyPatch, k: int, keys_at_a_time: int, queries_at_a_time: int
) -> None:
    monkeypatch.setattr(module, "KEYS", keys_at_a_time)
    monkeypatch.setattr(module, "QUERIES", queries_at_a_time)
    keys, queries = embeddings(503, seed=0), embeddings(41, seed=1)
    expected = (normalize(queries.double()) @ normalize(keys.double()).T).topk(k, dim=1)

    cosines, indices = nearest_neighbors(queries, keys, k)

    assert torch.equal(indices, expected.indices)
    torch.testing.assert_close(cosines.double(), expected.values, atol=1e-6, rtol=0)


@CHUNKS
def test_an_excluded_key_is_no_neighbor(
    monkeypatch: pytest.MonkeyPatch, keys_at_a_time: int, queries_at_a_time: int
) -> None:
    monkeypatch.setattr(module, "KEYS", keys_at_a_time)
    monkeypatch.setattr(module, "QUERIES", queries_at_a_time)
    keys = embeddings(120, seed=0)
    cosines, indices = nearest_neighbors(keys, keys, 4, exclude=torch.arange(120))
    with_itself, all_indices = nearest_neighbors(keys, keys, 5)
    assert torch.equal(all_indices[:, 0], torch.arange(120))
    assert torch.equal(indices, all_indices[:, 1:])
    assert torch.equal(cosines, with_itself[:, 1:])


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_the_inner_product_does_not_normalize(metric: Literal["cosine", "dot"]) -> None:
    keys = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    similarities, indices = nearest_neighbors(torch.tensor([[2.0, 0.0]]), keys, 1, metric=metric)
    assert (indices.item(), similarities.item()) == ((0, 1.0) if metric == "cosine" else (1, 6.0))


@pytest.mark.parametrize("k", [1, 3])
@CHUNKS
def test_equally_near_keys_are_ordered_by_index(
    monkeypatch: pytest.MonkeyPatch, k: int, keys_at_a_time: int, queries_at_a_time: int
) -> None:
    monkeypatch.setattr(module, "KEYS", keys_at_a_time)
    keys = torch.zeros(203, 2)
    keys[:, 1] = 1.0
    keys[[17, 101, 150]] = torch.tensor([1.0, 0.0])
    _, indices = nearest_neighbors(torch.tensor([[1.0, 0.0]]), keys, k)
    assert indices[0].tolist() == [17, 101, 150][:k]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_similarities_are_in_single_precision_at_least(dtype: torch.dtype) -> None:
    keys = embeddings(30, seed=0)
    similarities, indices = nearest_neighbors(keys.to(dtype), keys, 1)
    assert similarities.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.equal(indices[:, 0], torch.arange(30))


def test_no_neighbors_and_no_queries_are_fine() -> None:
    keys = embeddings(30, seed=0)
    assert [result.shape for result in nearest_neighbors(keys, keys, 0)] == [(30, 0)] * 2
    assert [result.shape for result in nearest_neighbors(keys[:0], keys, 3)] == [(0, 3)] * 2


@pytest.mark.parametrize("columns", [5, 64, 1000, 4099])
@pytest.mark.parametrize("k", [1, 5])
def test_the_largest_of_a_row_are_found_through_the_maxima_of_groups(columns: int, k: int) -> None:
    values = torch.randn(9, columns, generator=torch.Generator().manual_seed(1))
    found, places = largest(values, k)
    assert torch.equal(values.gather(1, places), found)
    assert torch.equal(found.sort(dim=1, descending=True).values, values.topk(k, dim=1).values)


@pytest.mark.parametrize("columns", [5, 1024, 1500, 4099])
def test_the_first_of_equally_large_values_is_found(columns: int) -> None:
    values = torch.randint(0, 3, (200, columns), generator=torch.Generator().manual_seed(0)).float()
    values[torch.arange(200), torch.randint(0, columns, (200,), generator=torch.Generator().manual_seed(1))] = 3.0
    values[:100, columns // 2 :] += 1.0
    expected = torch.max(values, dim=1, keepdim=True)
    assert all(map(torch.equal, largest(values, 1), expected))


def test_equal_values_are_each_found_once() -> None:
    values = torch.zeros(2, 4096)
    values[:, ::3] = 1.0
    found, places = largest(values, 50)
    assert found.eq(1.0).all()
    assert all(len(set(row)) == 50 for row in places.tolist())
