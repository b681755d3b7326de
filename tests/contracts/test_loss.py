"""What losses declare, and the state that they stage and commit."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import sslreg
from sslreg.contracts.loss import adapt_loss, commit_staged, discard_staged
from sslreg_memory_banks import FIFOMemoryBank


class Centered(sslreg.Loss):
    """A loss with a center, which does not call the `commit` of its base class."""

    center: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(()))
        self.banks = nn.ModuleList([FIFOMemoryBank(4, 2)])
        self.staged: Tensor | None = None

    def forward(self, a: Tensor, b: Tensor, targets: Tensor | None = None) -> Tensor:
        self.staged = b.detach().mean()
        self.banks[0].enqueue(b)
        return (a - b - self.center).square().mean()

    def commit(self) -> None:
        if self.staged is not None:
            self.center += self.staged
        self.staged = None

    def discard(self) -> None:
        self.staged = None


class Plain(nn.Module):
    """A plain loss around another one."""

    def __init__(self, inner: Centered) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        loss: Tensor = self.inner(a, b)
        return loss


def test_losses_and_banks_within_a_plain_loss_are_committed_or_discarded() -> None:
    inner = Centered()
    loss = adapt_loss(Plain(inner))
    views = torch.zeros(3, 2), torch.ones(3, 2)
    loss(*views)
    discard_staged(loss)
    commit_staged(loss)
    assert (float(inner.center), len(inner.banks[0].negatives())) == (0, 0)
    loss(*views)
    commit_staged(loss)
    commit_staged(loss)
    assert (float(inner.center), len(inner.banks[0].negatives())) == (1, 3)


def test_a_loss_used_by_hand_commits_its_banks() -> None:
    loss = adapt_loss(nn.Sequential(nn.ModuleList([bank := FIFOMemoryBank(4, 2)])))
    bank.enqueue(torch.ones(2, 2))
    loss.discard()
    loss.commit()
    assert len(bank.negatives()) == 0
    bank.enqueue(torch.ones(2, 2))
    loss.commit()
    assert len(bank.negatives()) == 2


def test_losses_of_common_forms_compare_the_batch_unless_they_say_otherwise() -> None:
    class Custom(sslreg.Loss):
        takes = "prediction and target"

    class Statistics(Custom):
        compares_batch = True

    class Separate(sslreg.Loss):
        takes = "views"
        compares_batch = False

    assert [loss.compares_batch for loss in (sslreg.Loss, Custom, Statistics, Separate)] == [True, False, True, False]
