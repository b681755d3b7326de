"""The loss of Barlow Twins against lightly's and the paper's formula."""

from __future__ import annotations

from typing import Any

import lightly.loss
import pytest
import torch

from sslreg_losses import BarlowTwinsLoss


def test_equals_lightly(make_views: Any, gradients: Any) -> None:
    views = make_views(40, 16)
    value, expected = BarlowTwinsLoss(0.01)(*views), lightly.loss.BarlowTwinsLoss(0.01)(*views)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views), rtol=1e-11, atol=1e-13)


def test_equals_the_formula_of_the_paper(make_views: Any, gradients: Any) -> None:
    """Except for the epsilon of batch normalization, which the variances here, of about 2e4, hide."""
    views = [(100 * view).detach().requires_grad_() for view in make_views(30, 5)]
    z_a, z_b = (view - view.mean(dim=0) for view in views)
    c = (z_a[:, :, None] * z_b[:, None, :]).sum(dim=0) / z_a.norm(dim=0)[:, None] / z_b.norm(dim=0)
    others = ~torch.eye(5, dtype=torch.bool)
    expected = (1 - c.diagonal()).square().sum() + 0.01 * c[others].square().sum()
    value = BarlowTwinsLoss(0.01)(*views)
    torch.testing.assert_close(value, expected, rtol=1e-8, atol=0)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views), rtol=1e-6, atol=1e-12)


def test_is_smallest_if_views_agree_and_dimensions_are_independent() -> None:
    independent = torch.linalg.qr(torch.randn(64, 9)).Q[:, 1:]
    collapsed = independent[:, :1].expand(64, 8)
    loss = BarlowTwinsLoss()
    assert loss(independent, independent) < loss(collapsed, collapsed)


def test_a_constant_dimension_has_finite_gradients(make_views: Any, gradients: Any) -> None:
    views = make_views(16, 4)
    views[0].data[:, 1] = 3
    assert gradients(BarlowTwinsLoss()(*views), views).isfinite().all()


def test_many_dimensions_are_summed_precisely() -> None:
    """A plain sum of all elements in float32 is off by almost a percent."""
    views = torch.randn(2, 4, 4096)
    value, exact = BarlowTwinsLoss(1.0)(*views), BarlowTwinsLoss(1.0)(*views.double())
    torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=0)


def test_one_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two samples, not 1"):
        BarlowTwinsLoss()(torch.randn(1, 4), torch.randn(1, 4))
