"""The FIFO bank keeps the last keys for all sizes, and changes only in `commit`."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

import sslreg
from sslreg_memory_banks import FIFOMemoryBank

batches = st.lists(st.lists(st.integers(0, 12), max_size=3), max_size=8)


def numbered(start: int, count: int) -> Tensor:
    return torch.arange(start, start + count, dtype=torch.float32)[:, None].repeat(1, 2)


def held(bank: FIFOMemoryBank) -> list[float]:
    return sorted(bank.negatives()[:, 0].tolist())


@given(size=st.integers(1, 10), steps=batches)
def test_holds_the_last_keys_of_any_batches_once_each(size: int, steps: list[list[int]]) -> None:
    bank, seen = FIFOMemoryBank(size, 2), 0
    for step in steps:
        for count in step:
            bank.enqueue(numbered(seen, count))
            seen += count
        bank.commit()
        assert held(bank) == list(map(float, range(max(0, seen - size), seen)))


@given(steps=batches, save_before=st.integers(0, 7))
def test_a_restored_bank_goes_on_as_the_one_that_was_saved(steps: list[list[int]], save_before: int) -> None:
    bank, restored, seen = FIFOMemoryBank(7, 2), FIFOMemoryBank(7, 2), 0
    for number, step in enumerate(steps):
        if number == save_before:
            restored.load_state_dict(copy.deepcopy(bank.state_dict()))
        for count in step:
            for each in (bank, restored):
                each.enqueue(numbered(seen, count))
            seen += count
        bank.commit()
        restored.commit()
    if save_before < len(steps):
        assert torch.equal(bank.negatives(), restored.negatives())
        assert torch.equal(bank.get_extra_state(), restored.get_extra_state())


def test_changes_in_commit_alone() -> None:
    bank = FIFOMemoryBank(4, 2)
    bank.enqueue(numbered(0, 3))
    bank.commit()
    read, before = bank.negatives(), bank.negatives().clone()
    bank.enqueue(numbered(3, 3))
    assert torch.equal(read, before)
    assert torch.equal(bank.negatives(), before)
    bank.commit()
    assert held(bank) == [2, 3, 4, 5]
    bank.commit()
    assert held(bank) == [2, 3, 4, 5]


def test_is_read_without_a_copy() -> None:
    bank = FIFOMemoryBank(4, 2, fill="random")
    assert bank.negatives().data_ptr() == bank.rows.data_ptr()


def test_keys_are_taken_as_they_were_and_without_their_graph() -> None:
    bank = FIFOMemoryBank(4, 2)
    keys = numbered(0, 2).requires_grad_()
    bank.enqueue(keys * 1)
    with torch.no_grad():
        keys += 7
    bank.commit()
    assert held(bank) == [0, 1]
    assert not bank.negatives().requires_grad


def test_staging_without_commit_does_not_grow() -> None:
    bank = FIFOMemoryBank(4, 2)
    for step in range(100):
        bank.enqueue(numbered(3 * step, 3))
    assert sum(map(len, bank._staged)) < 4 + 3
    bank.commit()
    assert held(bank) == [296, 297, 298, 299]


@pytest.mark.parametrize(("dtype", "eps"), [("float16", 2**-11), ("bfloat16", 2**-8), ("float64", 0.0)])
def test_stores_rows_in_the_type_that_is_asked_for(dtype: Any, eps: float) -> None:
    keys = torch.nn.functional.normalize(torch.randn(4, 8, dtype=torch.float64))
    bank = FIFOMemoryBank(4, 8, dtype=dtype)
    bank.enqueue(keys)
    bank.commit()
    assert bank.negatives().dtype == getattr(torch, dtype)
    torch.testing.assert_close(bank.negatives().double(), keys, rtol=eps, atol=1e-7 if eps else 0)


def test_random_fill_is_full_of_the_same_unit_vectors_whatever_the_seed() -> None:
    torch.manual_seed(1)
    one = FIFOMemoryBank(50, 8, fill="random")
    torch.manual_seed(2)
    other = FIFOMemoryBank(50, 8, fill="random")
    torch.testing.assert_close(one.negatives().norm(dim=1), torch.ones(50))
    assert torch.equal(one.negatives(), other.negatives())
    one.enqueue(torch.ones(8, 8))
    one.commit()
    assert int((one.negatives() == 1).all(dim=1).sum()) == 8


def test_refuses_what_it_cannot_hold() -> None:
    bank = FIFOMemoryBank(4, 2)
    with pytest.raises(ValueError, match=r"dim 2, but the keys have shape \(3, 5\)"):
        bank.enqueue(torch.ones(3, 5))
    with pytest.raises(sslreg.SslregError, match="not finite: nan"):
        bank.enqueue(torch.tensor([[0.0, float("nan")]]))
    with pytest.raises(ValueError, match="size is 0; it should be at least 1"):
        FIFOMemoryBank(0, 2)
    with pytest.raises(ValueError, match="fill is 'zeros'; it should be 'empty' or 'random'"):
        FIFOMemoryBank(4, 2, fill="zeros")  # type: ignore[arg-type]


def test_a_bank_of_another_size_is_not_restored() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        FIFOMemoryBank(4, 2).load_state_dict(FIFOMemoryBank(5, 2).state_dict())


def test_a_bank_may_be_told_its_width_later():
    told, known = FIFOMemoryBank(4, fill="random"), FIFOMemoryBank(4, 3, fill="random")
    told.hold(3)
    assert torch.equal(told.negatives(), known.negatives())
    told.hold(3)
    with pytest.raises(ValueError, match="rows of dim 3 and cannot hold dim 5"):
        told.hold(5)
