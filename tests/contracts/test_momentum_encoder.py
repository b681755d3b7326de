"""Momentum encoders: they move by the papers' formula, and by nothing else."""

from __future__ import annotations

import pytest
import torch
from timm.layers import DropPath
from torch import nn
from torchvision.ops import StochasticDepth

import sslreg


def test_a_momentum_encoder_moves_by_the_formula_of_the_paper() -> None:
    fast = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()
    slow = sslreg.momentum_copy(fast)
    before = [weight.clone() for weight in slow.parameters()]
    with torch.no_grad():
        for weight in fast.parameters():
            weight.normal_()
    sslreg.follow(slow, fast, 0.9)
    for average, start, weight in zip(slow.parameters(), before, fast.parameters(), strict=True):
        torch.testing.assert_close(average, 0.9 * start + 0.1 * weight.detach(), rtol=1e-15, atol=1e-15)


def test_a_momentum_encoder_gets_no_gradient_and_shares_no_weight() -> None:
    fast = nn.Linear(3, 2)
    slow = sslreg.momentum_copy(fast)
    assert not any(weight.requires_grad for weight in slow.parameters())
    assert all(weight.requires_grad for weight in fast.parameters())
    assert not {weight.data_ptr() for weight in slow.parameters()} & {weight.data_ptr() for weight in fast.parameters()}


def test_a_momentum_encoder_drops_nothing() -> None:
    module = nn.Sequential(nn.Dropout(0.5), StochasticDepth(0.5, "row"), DropPath(0.5))
    images = torch.ones(50, 4)
    assert torch.equal(sslreg.momentum_copy(module).train()(images), images)
    assert not torch.equal(module.train()(images), images)


def test_running_statistics_do_not_follow() -> None:
    fast = nn.BatchNorm1d(2)
    slow = sslreg.momentum_copy(fast)
    fast(torch.randn(8, 2) + 5)
    sslreg.follow(slow, fast, 0.0)
    assert torch.equal(slow.running_mean, torch.zeros(2))


def test_a_momentum_encoder_that_is_the_trained_module_is_refused() -> None:
    module = nn.Linear(3, 2)
    with pytest.raises(
        ValueError, match=r"shares parameters with the module that it follows; .* sslreg\.momentum_copy"
    ):
        sslreg.follow(module, module, 0.9)


def test_a_module_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="same shapes"):
        sslreg.follow(nn.Linear(3, 2), nn.Linear(3, 1), 0.9)


def test_a_module_without_parameters_has_nothing_to_follow() -> None:
    sslreg.follow(nn.ReLU(), nn.ReLU(), 0.9)
