"""SimSiam's loss against lightly's and the paper's formula."""

from __future__ import annotations

from typing import Any

import torch
from lightly.loss import NegativeCosineSimilarity

from sslreg_losses import SimSiamLoss


def test_equals_lightly(make_views: Any, gradients: Any) -> None:
    prediction, target = make_views(40, 16, dtype=torch.float32)
    value, expected = SimSiamLoss()(prediction, target), NegativeCosineSimilarity()(prediction, target.detach())
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradients(value, [prediction]), gradients(expected, [prediction]), rtol=1e-5, atol=1e-7)


def test_equals_the_formula_of_the_paper(make_views: Any, gradients: Any) -> None:
    prediction, target = make_views(7, 5)
    fixed = target.detach()
    expected = -((prediction / prediction.norm(dim=1, keepdim=True)) * (fixed / fixed.norm(dim=1, keepdim=True)))
    value = SimSiamLoss()(prediction, target)
    torch.testing.assert_close(value, expected.sum(dim=1).mean())
    torch.testing.assert_close(gradients(value, [prediction]), gradients(expected.sum(dim=1).mean(), [prediction]))
