"""The checks of memory banks; see `sslreg.MemoryBank`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from sslreg.contracts import MemoryBank
from sslreg.contracts.memory_bank import find_banks
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.tiny_components import WIDTH


def make_keys(count: int, seed: int = 0) -> Tensor:
    return normalize(torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)))


def build_filled(case: Case, *counts: int) -> MemoryBank:
    """Build a bank and commit batches of keys with these sizes. Each batch has another seed."""
    bank: MemoryBank = case.build()
    for seed, count in enumerate(counts):
        bank.enqueue(make_keys(count, seed))
        bank.commit()
    return bank


def find_capacity(case: Case) -> int:
    """Return the largest number of rows of the bank under test."""
    return len(build_filled(case, *[4096] * 2).negatives())


def holds(bank: MemoryBank, keys: Tensor) -> bool:
    """Return whether each of the keys has a row of the same direction."""
    similarity = keys @ normalize(bank.negatives().float()).T
    return bool((similarity.amax(dim=1) > 0.99).all())


def require_filled_banks(owner: nn.Module, parts: Sequence[Any], step: Callable[[], Any]) -> None:
    """Check that a step fills the memory banks of a model or a loss.

    Args:
        owner: The model or the loss.
        parts: The components that its constructor got, among them banks.
        step: Takes a step with it and commits what was staged.

    Raises:
        AssertionError: A bank is not stored as a module, or stays as it is.
    """
    stored = find_banks(owner)
    for part in parts:
        assert not isinstance(part, MemoryBank) or any(part is bank for bank in stored), (
            f"{type(owner).__name__} does not store its memory bank as a module, so training neither commits nor saves "
            "it; assign it to an attribute, and keep several banks in a torch.nn.ModuleList"
        )
    before = [bank.negatives().clone() for bank in stored]
    step()
    for bank, rows in zip(stored, before, strict=True):
        assert not torch.equal(bank.negatives(), rows), (
            f"a step of {type(owner).__name__} does not fill its memory bank; pass new embeddings to enqueue"
        )


@check("memory_bank")
def returns_rows_of_its_width(case: Case) -> None:
    for bank in (case.build(), build_filled(case, 5)):
        assert bank.negatives().ndim == 2
        assert bank.negatives().shape[1] == WIDTH, "declare Annotated[int, sslreg.FromRun('embedding_dim')]"


@check("memory_bank")
def writes_only_in_commit(case: Case) -> None:
    bank = case.build()
    before = bank.negatives().clone()
    bank.enqueue(make_keys(4))
    assert torch.equal(bank.negatives(), before), "enqueue must not write; only commit does"
    bank.commit()
    assert holds(bank, make_keys(4)), "commit must write what was staged"
    after = bank.negatives().clone()
    bank.commit()
    assert torch.equal(bank.negatives(), after), "a commit without staged keys must change nothing"
    bank.enqueue(make_keys(4))
    bank.discard()
    bank.commit()
    assert torch.equal(bank.negatives(), after), "discard must remove what was staged"


@check("memory_bank")
def wraps_without_dropping_rows(case: Case) -> None:
    capacity = find_capacity(case)
    first = capacity - capacity // 3
    bank = build_filled(case, first, capacity // 2)
    assert len(bank.negatives()) == capacity
    assert holds(bank, make_keys(capacity // 2, seed=1)), "keys are missing after wrapping"


@check("memory_bank")
def accepts_more_keys_than_it_holds(case: Case) -> None:
    capacity = find_capacity(case)
    bank = build_filled(case, 3 * capacity + 1)
    assert len(bank.negatives()) == capacity
    assert holds(bank, make_keys(3 * capacity + 1)[-1:])


@check("memory_bank")
def keeps_no_gradient(case: Case) -> None:
    bank = case.build()
    bank.enqueue(make_keys(4).requires_grad_())
    bank.commit()
    assert not bank.negatives().requires_grad


@check("memory_bank")
def copies_its_keys(case: Case) -> None:
    bank, keys = case.build(), make_keys(4)
    bank.enqueue(keys)
    keys.zero_()
    bank.commit()
    assert holds(bank, make_keys(4)), "enqueue must copy its keys"


@check("memory_bank")
def survives_a_checkpoint(case: Case) -> None:
    capacity = find_capacity(case)
    bank, restored = build_filled(case, capacity // 2 + 1), case.build()
    restored.load_state_dict(bank.state_dict())
    assert torch.equal(restored.negatives(), bank.negatives()), "the contents must be buffers, to be in checkpoints"
    for one in (bank, restored):
        one.enqueue(make_keys(capacity, seed=7))
        one.commit()
    assert torch.equal(restored.negatives(), bank.negatives()), "the position of the next row must be in the checkpoint"


@check("memory_bank")
def refuses_keys_of_another_width(case: Case) -> None:
    with pytest.raises(ValueError, match=str(WIDTH)):
        case.build().enqueue(torch.randn(4, WIDTH + 1))
