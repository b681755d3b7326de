"""NT-Xent against lightly's, and in all its variants against its definition."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

import sslreg
from sslreg_losses import NTXentLoss
from sslreg_memory_banks import FIFOMemoryBank


def lightly_loss(temperature: float, bank: Tensor | None = None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lightly.loss import NTXentLoss as LightlyLoss

        loss = LightlyLoss(temperature, memory_bank_size=0 if bank is None else tuple(bank.shape))
    if bank is not None:
        loss.memory_bank.bank.copy_(bank)
    return loss


def unit_rows(k: int, d: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return normalize(torch.randn(k, d, dtype=torch.float64, generator=torch.Generator().manual_seed(k))).to(dtype)


def filled(rows: Tensor, **options: Any) -> FIFOMemoryBank:
    bank = FIFOMemoryBank(*rows.shape, dtype=str(rows.dtype).removeprefix("torch."), **options)
    bank.enqueue(rows)
    bank.commit()
    return bank


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
@pytest.mark.parametrize(("n", "d"), [(1, 4), (2, 8), (96, 32), (600, 16)])
def test_equals_lightly(make_views: Any, gradients: Any, n: int, d: int, temperature: float) -> None:
    views = make_views(n, d, dtype=torch.float32)
    value, expected = NTXentLoss(temperature)(*views), lightly_loss(temperature)(*views)
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_equals_lightly_with_a_full_bank(make_views: Any, gradients: Any, temperature: float) -> None:
    rows = unit_rows(300, 16, torch.float32)
    query, key = make_views(32, 16, dtype=torch.float32)
    value = NTXentLoss(temperature, memory_bank=filled(rows))(query, key.detach())
    expected = lightly_loss(temperature, rows)(query, key.detach())
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradients(value, [query]), gradients(expected, [query]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("negatives", ["batch", "bank", "both"])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_every_variant_equals_its_definition(
    make_views: Any, gradients: Any, reference: Any, count: int, negatives: Any, symmetric: bool
) -> None:
    views, rows = make_views(9, 6, count), unit_rows(17, 6)
    bank = None if negatives == "batch" else filled(rows)
    value = NTXentLoss(0.2, bank, negatives=negatives, symmetric=symmetric)(*views)
    expected = reference(
        views, 0.2, symmetric=symmetric, batch=negatives != "bank", bank=None if bank is None else rows
    )
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views))


def test_fixed_keys_give_the_same_gradient_to_the_queries(make_views: Any, gradients: Any) -> None:
    loss = NTXentLoss(symmetric=False)
    query, key = make_views(9, 6)
    fixed, moving = loss(query, key.detach()), loss(query, key)
    torch.testing.assert_close(gradients(fixed, [query]), gradients(moving, [query]))


def test_an_empty_bank_leaves_the_positive_alone(make_views: Any, gradients: Any) -> None:
    views = make_views(4, 3)
    value = NTXentLoss(memory_bank=FIFOMemoryBank(8, 3), symmetric=True)(*views)
    assert value == 0
    assert not gradients(value, views).any()


def test_a_bank_is_given_the_keys_once_a_step_and_only_in_training(make_views: Any) -> None:
    bank = FIFOMemoryBank(8, 3)
    loss = NTXentLoss(memory_bank=bank)
    query, key = make_views(4, 3)
    with torch.no_grad():
        loss(query, key)
    loss.commit()
    assert len(bank.negatives()) == 0
    loss(query, key)
    assert len(bank.negatives()) == 0
    loss.commit()
    torch.testing.assert_close(bank.negatives(), normalize(key).detach().float())


def test_a_half_precision_bank_is_read_in_full_precision(make_views: Any, reference: Any) -> None:
    rows = unit_rows(40, 8, torch.bfloat16)
    views = make_views(6, 8)
    value = NTXentLoss(0.1, filled(rows))(*views)
    torch.testing.assert_close(value, reference(views, 0.1, symmetric=False, batch=False, bank=rows))


def test_rows_of_a_bank_may_have_any_length(make_views: Any, reference: Any) -> None:
    rows = unit_rows(40, 8) * torch.logspace(-3, 3, 40)[:, None]
    views = make_views(6, 8)
    value = NTXentLoss(0.05, filled(rows))(*views)
    torch.testing.assert_close(value, reference(views, 0.05, symmetric=False, batch=False, bank=rows))


@pytest.mark.parametrize("temperature", [0.0, -0.5, 1e-40, float("nan"), float("inf")])
def test_refuses_a_temperature_that_is_none(temperature: float) -> None:
    with pytest.raises(ValueError, match=f"temperature is {temperature}; it should be (at least 1e-08|finite)"):
        NTXentLoss(temperature)


@pytest.mark.parametrize(
    ("shapes", "named"),
    [
        ([(4, 3)], "at least two views, not 1"),
        ([(4, 3), (5, 3)], r"\(4, 3\), \(5, 3\)"),
        ([(4, 3), (4, 2)], r"\(4, 3\), \(4, 2\)"),
        ([(4, 3, 1), (4, 3, 1)], r"\(4, 3, 1\)"),
        ([(0, 3), (0, 3)], r"\(0, 3\)"),
    ],
)
def test_refuses_shapes_that_do_not_match(shapes: list[tuple[int, ...]], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        NTXentLoss()(*(torch.ones(shape) for shape in shapes))


def test_refuses_a_bank_of_another_dim(make_views: Any) -> None:
    with pytest.raises(ValueError, match="dim 5, but the embeddings have 3"):
        NTXentLoss(memory_bank=FIFOMemoryBank(8, 5))(*make_views(4, 3))


def test_refuses_negatives_that_it_has_not() -> None:
    with pytest.raises(ValueError, match="negatives: both needs a memory_bank"):
        NTXentLoss(negatives="both")
    with pytest.raises(ValueError, match="negatives: batch does not use the memory_bank"):
        NTXentLoss(memory_bank=FIFOMemoryBank(8, 3), negatives="batch")
    with pytest.raises(ValueError, match="negatives is 'queue'; it should be 'batch', 'bank' or 'both'"):
        NTXentLoss(negatives="queue")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_refuses_an_embedding_that_is_not_finite(make_views: Any, value: float) -> None:
    first, second = make_views(4, 3)
    with pytest.raises(sslreg.SslregError, match=rf"not finite: {value} at index \[1, 2, 0\]"):
        NTXentLoss()(first, second.detach().index_put((torch.tensor(2), torch.tensor(0)), torch.tensor(value).double()))
