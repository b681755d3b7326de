"""Memory banks within modules, and banks that find nearest rows."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import sslreg
from sslreg.contracts.memory_bank import commit_banks, discard_banks
from sslreg_memory_banks import FIFOMemoryBank, NearestNeighborMemoryBank


def test_banks_at_any_depth_are_committed_or_discarded() -> None:
    banks = [FIFOMemoryBank(4, 2) for _ in range(3)]
    module = nn.Sequential(banks[0], nn.ModuleDict({"a": nn.ModuleList(banks[1:])}), banks[0])
    for bank in banks:
        bank.enqueue(torch.ones(2, 2))
    discard_banks(module)
    commit_banks(module)
    assert [len(bank.negatives()) for bank in banks] == [0, 0, 0]
    for bank in banks:
        bank.enqueue(torch.ones(2, 2))
    commit_banks(module)
    commit_banks(module)
    assert [len(bank.negatives()) for bank in banks] == [2, 2, 2]


def test_a_bank_that_finds_no_nearest_rows_names_those_that_do() -> None:
    bank = FIFOMemoryBank(4, 2)
    with pytest.raises(NotImplementedError, match=r"FIFOMemoryBank cannot find nearest rows.*: nearest_neighbor"):
        bank.nearest(torch.ones(1, 2))
    with pytest.raises(ValueError, match=r"FIFOMemoryBank cannot find nearest rows.*: nearest_neighbor"):
        bank.require_nearest()
    able: sslreg.MemoryBank = NearestNeighborMemoryBank(4, 2)
    able.require_nearest()
    assert able.nearest(torch.ones(1, 2)).shape == (1, 2)
