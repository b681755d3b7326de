"""KoLeo against lightly's, and where distances are zero."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightly.loss import KoLeoLoss as LightlyLoss

from sslreg_losses._koleo import koleo


def test_equals_lightly(make_views: Any, gradients: Any, record_difference: Any) -> None:
    views = make_views(9, 6, 1)
    value, expected = koleo(views[0]), LightlyLoss()(views[0])
    record_difference("dinov2", "lightly's KoLeo", (value - expected).abs().item())
    # Lightly adds 1e-8 to each coordinate of a difference.
    torch.testing.assert_close(value, expected, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views), rtol=1e-6, atol=1e-7)


def test_equal_rows_have_a_finite_value_and_no_gradient(make_views: Any) -> None:
    rows = make_views(2, 6, 1)[0].detach().float().repeat(2, 1).requires_grad_()
    value = koleo(rows)
    (gradient,) = torch.autograd.grad(value, rows)
    assert value.isfinite()
    assert not gradient.any()


def test_rows_of_zeros_have_no_gradient() -> None:
    rows = torch.zeros(3, 4, requires_grad=True)
    value = koleo(rows)
    (gradient,) = torch.autograd.grad(value, rows)
    assert value.isfinite()
    assert not gradient.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(make_views: Any, dtype: torch.dtype) -> None:
    rows = make_views(9, 6, 1)[0].detach().to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        value = koleo(rows)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), koleo(rows.double()), rtol=1e-5, atol=1e-5)


def test_a_single_row_is_refused() -> None:
    with pytest.raises(ValueError, match="KoLeo needs at least two samples"):
        koleo(torch.ones(1, 3))
