"""NT-Xent against lightly's and against a plain float64 reference."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor

from sslreg_losses import NTXentLoss
from sslreg_memory_banks import FIFOMemoryBank


def views(n: int, d: int, count: int = 2, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(n * d)
    base = torch.randn(n, d, generator=generator, dtype=torch.float64)
    noisy = [base + torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(count)]
    return [view.to(dtype).requires_grad_() for view in noisy]


def lightly_loss(temperature: float, bank: Tensor | None = None) -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lightly.loss import NTXentLoss as LightlyLoss

        loss = LightlyLoss(temperature, memory_bank_size=0 if bank is None else tuple(bank.shape))
    if bank is not None:
        loss.memory_bank.bank.copy_(bank)
    return loss


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
@pytest.mark.parametrize(("n", "d"), [(1, 4), (2, 8), (96, 32)])
def test_equals_lightly_in_value_and_gradient(n: int, d: int, temperature: float) -> None:
    ours, theirs = views(n, d), views(n, d)
    value, expected = NTXentLoss(temperature)(*ours), lightly_loss(temperature)(*theirs)
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-5)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our.grad, their.grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_equals_lightly_with_a_full_bank(temperature: float) -> None:
    rows = torch.nn.functional.normalize(torch.randn(300, 16, generator=torch.Generator().manual_seed(0)))
    bank = FIFOMemoryBank(300, 16)
    bank.enqueue(rows)
    bank.commit()
    (query, key), (their_query, their_key) = views(32, 16), views(32, 16)
    value = NTXentLoss(temperature, memory_bank=bank)(query, key.detach())
    expected = lightly_loss(temperature, rows)(their_query, their_key.detach())
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(query.grad, their_query.grad, rtol=1e-5, atol=1e-5)
