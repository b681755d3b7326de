"""SimSiam against lightly's modules, and the fixed learning rate of its predictor."""

from __future__ import annotations

import copy
from typing import Any

import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules.heads import SimSiamPredictionHead, SimSiamProjectionHead
from torch import nn

from sslreg_backbones.convnet import ConvNet
from sslreg_losses import SimSiamLoss
from sslreg_models.simsiam import SimSiam


def simsiam() -> SimSiam:
    torch.manual_seed(0)
    return SimSiam(ConvNet(in_channels=1, width=4), projection=[12, 12, 6], prediction=[8]).double()


def load(theirs: nn.Module, ours: nn.Module) -> nn.Module:
    theirs.load_state_dict({f"layers.{name}": value for name, value in ours.state_dict().items()})
    return theirs.double()


def test_three_steps_are_those_of_lightlys_modules(make_batch: Any, record_difference: Any) -> None:
    model = simsiam()
    backbone = copy.deepcopy(model.backbone)
    projection = load(SimSiamProjectionHead(backbone.num_features, 12, 6), model.projection)
    prediction = load(SimSiamPredictionHead(6, 8, 6), model.prediction)
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    other = torch.optim.SGD(nn.ModuleList([backbone, projection, prediction]).parameters(), lr=0.5)
    criterion = NegativeCosineSimilarity()
    for seed in range(3):
        value = model.training_step(make_batch(seed), SimSiamLoss()).loss
        z0, z1 = (projection(backbone(view)) for view in make_batch(seed).views)
        expected = (criterion(prediction(z0), z1.detach()) + criterion(prediction(z1), z0.detach())) / 2
        record_difference("simsiam", "lightly's modules, three steps", (value - expected).abs().item())
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
        for loss, own in ((value, optimizer), (expected, other)):
            own.zero_grad()
            loss.backward()
            own.step()


def test_the_learning_rate_of_the_predictor_is_fixed() -> None:
    model = simsiam()
    encoder, predictor = model.parameter_groups()
    assert "fixed_lr" not in encoder
    assert predictor["fixed_lr"]
    assert [id(one) for one in predictor["params"]] == [id(one) for one in model.prediction.parameters()]
