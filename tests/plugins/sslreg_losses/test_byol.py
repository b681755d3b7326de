"""BYOL's loss against lightly's and the paper's formula."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightly.loss import NegativeCosineSimilarity

from sslreg_losses import BYOLLoss


def test_equals_lightly(make_views: Any, gradients: Any) -> None:
    prediction, target = make_views(40, 16, dtype=torch.float32)
    value, expected = BYOLLoss()(prediction, target), 2 + 2 * NegativeCosineSimilarity()(prediction, target.detach())
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradients(value, [prediction]), gradients(expected, [prediction]), rtol=1e-5, atol=1e-7)


def test_equals_the_formula_of_the_paper(make_views: Any, gradients: Any) -> None:
    prediction, target = make_views(7, 5)
    unit = prediction / prediction.norm(dim=1, keepdim=True)
    expected = (unit - target.detach() / target.detach().norm(dim=1, keepdim=True)).square().sum(dim=1).mean()
    value = BYOLLoss()(prediction, target)
    torch.testing.assert_close(value, expected, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(
        gradients(value, [prediction]), gradients(expected, [prediction]), rtol=1e-12, atol=1e-14
    )


def test_targets_get_no_gradient(make_views: Any) -> None:
    prediction, target = make_views(7, 5)
    BYOLLoss()(prediction, target).backward()
    assert prediction.grad is not None
    assert target.grad is None


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 3\) and targets \(4, 2\) differ in shape"):
        BYOLLoss()(torch.ones(4, 3), torch.ones(4, 2))
