"""The search for nearest neighbors, against a plain one over all cosines at once."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from sslreg_evaluators import _neighbors
from sslreg_evaluators._neighbors import largest, nearest

CPU = torch.device("cpu")


@pytest.mark.parametrize("k", [1, 7, 60])
@pytest.mark.parametrize(("keys_at_a_time", "queries_at_a_time"), [(65_536, 256), (100, 16), (7, 3)])
def test_neighbours_do_not_depend_on_the_chunks(
    monkeypatch: pytest.MonkeyPatch, k: int, keys_at_a_time: int, queries_at_a_time: int
) -> None:
    monkeypatch.setattr(_neighbors, "KEYS", keys_at_a_time)
    monkeypatch.setattr(_neighbors, "QUERIES", queries_at_a_time)
    generator = torch.Generator().manual_seed(0)
    keys, queries = torch.randn(503, 12, generator=generator), torch.randn(41, 12, generator=generator)
    expected = (normalize(queries.double()) @ normalize(keys.double()).T).topk(k, dim=1)

    cosines, numbers = nearest(queries, keys, k, CPU)

    assert torch.equal(numbers, expected.indices)
    torch.testing.assert_close(cosines.double(), expected.values, atol=1e-6, rtol=0)


@pytest.mark.parametrize("columns", [5, 64, 1000, 4099])
@pytest.mark.parametrize("k", [1, 5])
def test_the_largest_of_a_row_are_found_through_the_maxima_of_groups(columns: int, k: int) -> None:
    values = torch.randn(9, columns, generator=torch.Generator().manual_seed(1))
    found, places = largest(values, k)
    assert torch.equal(values.gather(1, places), found)
    assert torch.equal(found.sort(dim=1, descending=True).values, values.topk(k, dim=1).values)


def test_equal_values_are_each_found_once() -> None:
    values = torch.zeros(2, 4096)
    values[:, ::3] = 1.0
    found, places = largest(values, 50)
    assert found.eq(1.0).all()
    assert all(len(set(row)) == 50 for row in places.tolist())
