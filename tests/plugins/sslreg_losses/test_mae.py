"""MAE's loss against lightly's functions and the published formula."""

from __future__ import annotations

import pytest
import torch
from lightly.models.utils import normalize_mean_var
from torch import Tensor

from sslreg_losses import MAELoss


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    prediction, patches = torch.rand(2, 3, 5, 12, generator=generator, dtype=torch.float64).to(dtype)
    return prediction.requires_grad_(), patches, torch.rand(3, 5, generator=generator) < 0.6


@pytest.mark.parametrize("norm_pix_loss", [True, False])
def test_equals_the_published_formula(norm_pix_loss: bool) -> None:
    prediction, patches, masked = inputs()
    target = patches
    if norm_pix_loss:
        target = (patches - patches.mean(-1, keepdim=True)) / (patches.var(-1, keepdim=True) + 1e-6) ** 0.5
        torch.testing.assert_close(target, normalize_mean_var(patches), rtol=1e-14, atol=1e-14)
    expected = (((prediction - target) ** 2).mean(dim=-1) * masked).sum() / masked.sum()
    value = MAELoss(norm_pix_loss)(prediction, patches, masked)
    torch.testing.assert_close(value, expected, rtol=1e-13, atol=1e-13)
    ours, theirs = (torch.autograd.grad(loss, prediction)[0] for loss in (value, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)


def test_without_masked_patches_the_loss_and_its_gradient_are_zero() -> None:
    prediction, patches, masked = inputs()
    value = MAELoss()(prediction, patches, masked & False)
    value.backward()
    assert value == 0
    assert prediction.grad is not None
    assert not prediction.grad.any()


def test_a_patch_of_one_color_has_a_finite_loss() -> None:
    prediction, patches, masked = inputs()
    assert MAELoss()(prediction, torch.ones_like(patches), masked).isfinite()


def test_half_precision_is_computed_in_single_precision() -> None:
    prediction, patches, masked = inputs(torch.bfloat16)
    value = MAELoss()(prediction, patches, masked)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, MAELoss()(prediction.float(), patches.float(), masked))


def test_shapes_that_do_not_fit_together_are_refused() -> None:
    prediction, patches, masked = inputs()
    with pytest.raises(ValueError, match=r"predictions \(3, 4, 12\), patches \(3, 5, 12\) and the mask \(3, 5\)"):
        MAELoss()(prediction[:, 1:], patches, masked)
    with pytest.raises(ValueError, match=r"the mask \(2, 5\) do not fit together"):
        MAELoss()(prediction, patches, masked[1:])


def test_patches_of_a_single_value_cannot_be_normalized() -> None:
    single, masked = torch.rand(2, 4, 1), torch.ones(2, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="set norm_pix_loss: false"):
        MAELoss()(single, single, masked)
    assert MAELoss(norm_pix_loss=False)(single, single, masked) == 0
