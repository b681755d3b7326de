"""The FIFO bank keeps the last rows, whatever the sizes."""

from __future__ import annotations

import pytest
import torch

from sslreg_memory_banks import FIFOMemoryBank


def test_starts_empty_and_writes_on_commit_alone() -> None:
    bank = FIFOMemoryBank(4, 2)
    bank.enqueue(torch.ones(3, 2))
    assert bank.negatives().shape == (0, 2)
    bank.commit()
    assert bank.negatives().tolist() == [[1, 1]] * 3


@pytest.mark.parametrize("batches", [[3, 3], [5, 5, 5], [9], [2, 9, 1], [4, 4]])
def test_keeps_the_last_rows_of_any_batches(batches: list[int]) -> None:
    bank, stream = FIFOMemoryBank(4, 1), torch.arange(float(sum(batches)))[:, None]
    for keys in stream.split(batches):
        bank.enqueue(keys)
        bank.commit()
    assert sorted(bank.negatives().flatten().tolist()) == stream[-4:].flatten().tolist()
