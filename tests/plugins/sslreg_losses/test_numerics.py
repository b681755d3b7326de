"""Every temperature, precision and embedding gives a finite loss and gradient, near those of float64.

Logits are computed in float32 unless the embeddings are float64; rounding them moves a loss by the order of
eps / temperature, and its gradient by that share of itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from sslreg_losses import DCLLoss, NTXentLoss, SupConLoss

TEMPERATURES = [0.01, 0.07, 0.5, 10.0]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def random(x: Tensor) -> Tensor:
    return x


def all_equal(x: Tensor) -> Tensor:
    return x[:1].expand_as(x)


def some_twice(x: Tensor) -> Tensor:
    return torch.cat([x[: len(x) // 2]] * 2)


def long(x: Tensor) -> Tensor:
    return x * 1e4


def short(x: Tensor) -> Tensor:
    return x * 1e-3


def one(x: Tensor) -> Tensor:
    return x[:1]


@pytest.mark.parametrize("make", [random, all_equal, some_twice, long, short, one])
@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_is_within_rounding_of_float64(
    make_views: Any,
    gradients: Any,
    reference: Any,
    dtype: torch.dtype,
    temperature: float,
    make: Callable[[Tensor], Tensor],
) -> None:
    views = [make(view.detach()).to(dtype).requires_grad_() for view in make_views(16, 24)]
    exact = [view.detach().double().requires_grad_() for view in views]
    value, expected = NTXentLoss(temperature)(*views), reference(exact, temperature)
    eps = torch.finfo(value.dtype).eps
    assert value.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(value.double(), expected, rtol=4 * eps, atol=8 * eps / temperature)
    got, wanted = gradients(value, views).double(), gradients(expected, exact)
    longest = max(float(view.detach().double().norm(dim=1).min().reciprocal()) for view in views) / temperature
    rounding = 32 * eps / min(temperature, 1) * longest / len(views[0]) + torch.finfo(dtype).smallest_normal
    torch.testing.assert_close(got, wanted, rtol=torch.finfo(dtype).eps, atol=rounding)


@pytest.mark.parametrize("loss", [NTXentLoss, DCLLoss, SupConLoss])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_zero_vector_is_equally_far_from_all_and_not_moved(
    make_views: Any, gradients: Any, dtype: torch.dtype, loss: Any
) -> None:
    views = make_views(6, 5, dtype=dtype)
    views[1].data[2] = 0
    value = loss()(*views, targets=torch.tensor([0, 1, 0, 1, 2, 3]))
    moved = gradients(value, views)
    assert value.isfinite()
    assert moved.isfinite().all()
    assert not moved[1, 2].any()
    assert moved[0].any(dim=1).all()


def test_half_precision_embeddings_too_long_to_square_do_not_overflow() -> None:
    views = [torch.full((4, 512), 6e4, dtype=torch.float16, requires_grad=True) for _ in range(2)]
    value = NTXentLoss()(*views)
    value.backward()
    torch.testing.assert_close(value, torch.tensor(7.0).log())
    assert all(view.grad.isfinite().all() for view in views)


@pytest.mark.parametrize("loss", [NTXentLoss, DCLLoss])
@pytest.mark.parametrize("temperature", [1e-8, 0.01, 0.5, 1e30])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_finite_embeddings_give_a_finite_loss_and_gradient(loss: Any, temperature: float, data: Any) -> None:
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 3)))
    numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
    size = 2 * shape[0] * shape[1]
    flat = torch.tensor(data.draw(st.lists(numbers, min_size=size, max_size=size)), dtype=torch.float32)
    views = [view.requires_grad_() for view in flat.view(2, *shape).unbind()]
    value = loss(temperature)(*views)
    value.backward()
    assert value.isfinite()
    assert all(view.grad.isfinite().all() for view in views)
