"""BYOL against lightly's modules, and its target."""

from __future__ import annotations

import copy
from typing import Any

import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules.heads import BYOLPredictionHead, BYOLProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from torch import nn

from sslreg_backbones.convnet import ConvNet
from sslreg_losses import BYOLLoss
from sslreg_models.byol import BYOL


def byol(momentum: float = 0.9) -> BYOL:
    torch.manual_seed(0)
    backbone = ConvNet(in_channels=1, width=4)
    return BYOL(backbone, total_steps=10, projection=[12, 6], prediction=[8], momentum=momentum).double()


class LightlyBYOL(nn.Module):
    """BYOL by lightly's modules, with the weights of a model under test."""

    def __init__(self, model: BYOL) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(model.backbone)
        self.projection = load(BYOLProjectionHead(model.backbone.num_features, 12, 6), model.projection)
        self.prediction = load(BYOLPredictionHead(6, 8, 6), model.prediction)
        self.online = nn.Sequential(self.backbone, self.projection)
        self.target = copy.deepcopy(self.online)
        deactivate_requires_grad(self.target)

    def step(self, views: list[torch.Tensor], optimizer: torch.optim.Optimizer, momentum: float) -> torch.Tensor:
        a, b = (self.prediction(self.online(view)) for view in views)
        with torch.no_grad():
            target_a, target_b = (self.target(view) for view in views)
        criterion = NegativeCosineSimilarity()
        loss = 4 + 2 * (criterion(a, target_b) + criterion(b, target_a))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        update_momentum(self.online, self.target, momentum)
        return loss


def load(theirs: nn.Module, ours: nn.Module) -> nn.Module:
    theirs.load_state_dict({f"layers.{name}": value for name, value in ours.state_dict().items()})
    return theirs.double()


def test_three_steps_are_those_of_lightlys_modules(make_batch: Any, record_difference: Any) -> None:
    model, loss = byol(), BYOLLoss()
    lightly = LightlyBYOL(model)
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    other = torch.optim.SGD([one for one in lightly.parameters() if one.requires_grad], lr=0.5)
    for seed in range(3):
        momentum = model.momentum.value
        value = model.training_step(make_batch(seed), loss).loss
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        model.after_step()
        expected = lightly.step(make_batch(seed).views, other, momentum)
        record_difference("byol", "lightly's modules, three steps", (value - expected).abs().item())
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    ours = [*model.target_backbone.parameters(), *model.target_projection.parameters()]
    for weight, expected in zip(ours, lightly.target.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, rtol=1e-12, atol=1e-12)


def test_the_target_momentum_grows_to_one() -> None:
    model = byol(momentum=0.5)
    values = []
    for _ in range(11):
        values.append(model.momentum.value)
        model.after_step()
    assert values == sorted(values)
    assert (values[0], values[10]) == (0.5, 1.0)
