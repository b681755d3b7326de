"""VICReg's loss against lightly's and the paper's formula."""

from __future__ import annotations

from typing import Any

import lightly.loss
import pytest
import torch
from torch import Tensor

from sslreg_losses import VICRegLoss

DIM = 5


def paper(z: Tensor, z_other: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """Equations 1 to 6, as they are printed: neither mean over dimensions nor half of the variance."""
    v, c = 0, 0
    for view in (z, z_other):
        centered = view - view.mean(dim=0)
        covariance = (centered[:, :, None] * centered[:, None, :]).sum(dim=0) / (len(view) - 1)
        v += (1 - (covariance.diagonal() + 1e-4).sqrt()).clamp(min=0).sum() / DIM
        c += covariance[~torch.eye(DIM, dtype=torch.bool)].square().sum() / DIM
    s = (z - z_other).square().sum() / len(z)
    return weights[0] * s + weights[1] * v + weights[2] * c


@pytest.mark.parametrize("scale", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("weights", [(25.0, 25.0, 1.0), (2.0, 0.0, 3.0), (0.0, 1.0, 0.0)])
def test_equals_lightly_which_has_the_formula_of_the_authors_code(
    make_views: Any, gradients: Any, weights: tuple[float, float, float], scale: float
) -> None:
    views = [(scale * view).detach().requires_grad_() for view in make_views(40, 16)]
    value, expected = VICRegLoss(*weights)(*views), lightly.loss.VICRegLoss(*weights)(*views)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("scale", [0.1, 0.5, 2.0])
def test_equals_the_paper_with_other_weights_of_invariance_and_variance(
    make_views: Any, gradients: Any, scale: float
) -> None:
    views = [(scale * view).detach().requires_grad_() for view in make_views(30, DIM)]
    value, expected = VICRegLoss(25, 25, 1)(*views), paper(*views, weights=(25 / DIM, 25 / 2, 1))
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views), rtol=1e-11, atol=1e-13)


def test_a_constant_dimension_has_finite_gradients(make_views: Any, gradients: Any) -> None:
    views = make_views(16, 4)
    views[0].data[:, 1] = 3
    assert gradients(VICRegLoss()(*views), views).isfinite().all()


def test_half_precision_is_widened_before_the_views_are_subtracted() -> None:
    views = (1000 + torch.randn(2, 16, 4)).half()
    torch.testing.assert_close(VICRegLoss()(*views), VICRegLoss()(*views.float()))


def test_one_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two samples, not 1"):
        VICRegLoss()(torch.randn(1, 4), torch.randn(1, 4))
