import pytest
import torch
from torch import nn

import sslreg
from sslreg.registry import installed


def test_torchs_own_optimizers_are_registered_unchanged() -> None:
    assert installed().get("optimizer", "sgd").load() is torch.optim.SGD
    assert installed().get("optimizer", "adamw").load() is torch.optim.AdamW


@pytest.mark.parametrize("name", [info.name for info in installed().of_kind("optimizer")])
def test_every_optimizer_keeps_the_options_of_groups(name: str) -> None:
    """Without gradients, a step multiplies weights by 1 - lr weight_decay."""
    layers = [nn.Linear(3, 2, dtype=torch.float64) for _ in range(2)]
    for weight in (weight for layer in layers for weight in layer.parameters()):
        nn.init.ones_(weight)
        weight.grad = torch.zeros_like(weight)
    groups = [
        *sslreg.split_weight_decay(layers[0]),
        *({**group, "lr": 0.2, "fixed_lr": True} for group in sslreg.split_weight_decay(layers[1])),
        *sslreg.split_weight_decay([]),
    ]

    installed().get("optimizer", name).load()(groups, lr=0.1, weight_decay=0.5).step()

    for layer, expected in zip(layers, (0.95, 0.9), strict=True):
        torch.testing.assert_close(layer.weight.detach(), torch.full((2, 3), expected, dtype=torch.float64))
        assert (layer.bias == 1).all()
