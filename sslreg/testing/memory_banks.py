"""What a memory bank promises; see `sslreg.MemoryBank`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sslreg.contracts import MemoryBank
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.tiny_components import WIDTH


def keys_of(count: int, seed: int = 0) -> Tensor:
    return normalize(torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)))


def filled(case: Case, *counts: int) -> MemoryBank:
    """A bank with so many keys, in so many commits; every batch of keys has a seed of its own."""
    bank: MemoryBank = case.build()
    for seed, count in enumerate(counts):
        bank.enqueue(keys_of(count, seed))
        bank.commit()
    return bank


def capacity_of(case: Case) -> int:
    """How many rows the bank under test can have."""
    return len(filled(case, *[4096] * 2).negatives())


def holds(bank: MemoryBank, keys: Tensor) -> bool:
    """Whether each of the keys has a row of its direction."""
    similarity = keys @ normalize(bank.negatives().float()).T
    return bool((similarity.amax(dim=1) > 0.99).all())


@check("memory_bank")
def gives_rows_of_its_width(case: Case) -> None:
    for bank in (case.build(), filled(case, 5)):
        assert bank.negatives().ndim == 2
        assert bank.negatives().shape[1] == WIDTH, "the width is Annotated[int, sslreg.FromRun('embedding_dim')]"


@check("memory_bank")
def writes_in_commit_alone(case: Case) -> None:
    bank = case.build()
    before = bank.negatives().clone()
    bank.enqueue(keys_of(4))
    assert torch.equal(bank.negatives(), before), "enqueue stages; only commit writes"
    bank.commit()
    assert holds(bank, keys_of(4)), "commit writes what was staged"
    after = bank.negatives().clone()
    bank.commit()
    assert torch.equal(bank.negatives(), after), "a commit without anything staged changes nothing"
    bank.enqueue(keys_of(4))
    bank.discard()
    bank.commit()
    assert torch.equal(bank.negatives(), after), "discard forgets what was staged"


@check("memory_bank")
def wraps_without_dropping_rows(case: Case) -> None:
    capacity = capacity_of(case)
    first = capacity - capacity // 3
    bank = filled(case, first, capacity // 2)
    assert len(bank.negatives()) == capacity
    assert holds(bank, keys_of(capacity // 2, seed=1)), "keys that wrap are all there"


@check("memory_bank")
def takes_more_keys_than_it_holds(case: Case) -> None:
    capacity = capacity_of(case)
    bank = filled(case, 3 * capacity + 1)
    assert len(bank.negatives()) == capacity
    assert holds(bank, keys_of(3 * capacity + 1)[-1:])


@check("memory_bank")
def keeps_no_gradient(case: Case) -> None:
    bank = case.build()
    bank.enqueue(keys_of(4).requires_grad_())
    bank.commit()
    assert not bank.negatives().requires_grad


@check("memory_bank")
def keeps_keys_that_change_afterwards(case: Case) -> None:
    bank, keys = case.build(), keys_of(4)
    bank.enqueue(keys)
    keys.zero_()
    bank.commit()
    assert holds(bank, keys_of(4)), "staged keys are copies"


@check("memory_bank")
def survives_a_checkpoint(case: Case) -> None:
    capacity = capacity_of(case)
    bank, again = filled(case, capacity // 2 + 1), case.build()
    again.load_state_dict(bank.state_dict())
    assert torch.equal(again.negatives(), bank.negatives()), "contents are buffers, so that they are in the checkpoint"
    for one in (bank, again):
        one.enqueue(keys_of(capacity, seed=7))
        one.commit()
    assert torch.equal(again.negatives(), bank.negatives()), "where the next row goes is in the checkpoint too"


@check("memory_bank")
def refuses_keys_of_another_width(case: Case) -> None:
    with pytest.raises(ValueError, match=str(WIDTH)):
        case.build().enqueue(torch.randn(4, WIDTH + 1))
