"""VICReg against lightly's modules."""

from __future__ import annotations

import copy
from typing import Any

import lightly.loss
import torch
from lightly.models.modules.heads import VICRegProjectionHead
from torch import nn

from sslreg_backbones.convnet import ConvNet
from sslreg_losses import VICRegLoss
from sslreg_models.vicreg import VICReg


def make_model() -> VICReg:
    torch.manual_seed(0)
    return VICReg(ConvNet(in_channels=1, width=4), projection=[12, 12, 6]).double()


def lightly_network(model: VICReg) -> nn.Sequential:
    """Return lightly's projection head after the same backbone, with the weights of a model under test."""
    head = VICRegProjectionHead(model.backbone.num_features, 12, 6)
    head.load_state_dict({f"layers.{name}": value for name, value in model.projection.state_dict().items()})
    return nn.Sequential(copy.deepcopy(model.backbone), head.double())


def test_three_steps_are_those_of_lightlys_modules(make_batch: Any, record_difference: Any) -> None:
    model, loss = make_model(), VICRegLoss()
    network, criterion = lightly_network(model), lightly.loss.VICRegLoss()
    optimizer = torch.optim.SGD([*model.parameters(), *network.parameters()], lr=0.1)
    for seed in range(3):
        batch = make_batch(seed)
        value = model.training_step(batch, loss).loss
        expected = criterion(*(network(view) for view in batch.views))
        record_difference("vicreg", "lightly's modules, three steps", (value - expected).abs().item())
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
        optimizer.zero_grad()
        (value + expected).backward()
        optimizer.step()
    ours = [*model.backbone.parameters(), *model.projection.parameters()]
    for weight, expected in zip(ours, network.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, rtol=1e-11, atol=1e-12)
