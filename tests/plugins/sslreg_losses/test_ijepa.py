"""I-JEPA's loss against torch's for blocks of one size, and against its formula for others."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss, smooth_l1_loss

from sslreg_losses import IJEPALoss

Distance = Literal["smooth_l1", "squared"]


def tokens(*shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    prediction, target = (2 * torch.randn(*shape, generator=generator, dtype=torch.float64) for _ in range(2))
    return prediction.requires_grad_(), target.requires_grad_()


@pytest.mark.parametrize(("distance", "theirs"), [("smooth_l1", smooth_l1_loss), ("squared", mse_loss)])
def test_blocks_of_one_size_have_the_loss_of_the_published_code(distance: Distance, theirs: Any) -> None:
    prediction, target = tokens(3, 2, 4, 5)
    value = IJEPALoss(distance)(prediction, target, torch.ones(3, 2, 4, dtype=torch.bool))
    torch.testing.assert_close(value, theirs(prediction, target.detach()), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("distance", ["smooth_l1", "squared"])
def test_each_target_patch_counts_the_same(distance: Distance, gradients: Any) -> None:
    prediction, target = tokens(2, 2, 4, 5)
    sizes = [[4, 1], [2, 3]]
    is_target = torch.arange(4) < torch.tensor(sizes).unsqueeze(-1)
    difference = (prediction - target.detach()).abs()
    each = difference.square()
    if distance == "smooth_l1":
        each = torch.where(difference < 1, each / 2, difference - 0.5)
    rows = [each[image, block, : sizes[image][block]] for image in range(2) for block in range(2)]
    expected = torch.cat(rows).mean()

    value = IJEPALoss(distance)(prediction, target, is_target)

    torch.testing.assert_close(value, expected, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(gradients(value, [prediction]), gradients(expected, [prediction]))


def test_padding_and_the_teacher_get_no_gradient() -> None:
    prediction, target = tokens(1, 1, 3, 2)
    IJEPALoss()(prediction, target, torch.tensor([[[True, True, False]]])).backward()
    assert target.grad is None
    assert prediction.grad is not None
    assert (prediction.grad[0, 0, :2] != 0).all()
    assert (prediction.grad[0, 0, 2] == 0).all()


def test_half_precision_is_computed_in_float32() -> None:
    prediction, target = tokens(2, 1, 3, 4)
    full = torch.ones(2, 1, 3, dtype=torch.bool)
    assert IJEPALoss()(prediction.bfloat16(), target.bfloat16(), full).dtype == torch.float32
