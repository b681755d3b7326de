"""MoCo v3 against the pseudocode of the paper, lightly's head, and its frozen patch projection."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from lightly.models.modules.heads import MoCoProjectionHead
from torch.nn.functional import cross_entropy, normalize

import sslreg
from sslreg_backbones.convnet import ConvNet
from sslreg_losses import MoCoV3Loss
from sslreg_models.moco_v3 import MoCoV3


def moco_v3(**parameters: object) -> MoCoV3:
    torch.manual_seed(0)
    given = {"projection": [12, 6], "prediction": [8], "momentum": 0.9, **parameters}
    return MoCoV3(ConvNet(in_channels=1, width=4), total_steps=10, **given).double()  # type: ignore[arg-type]


def contrast(query: torch.Tensor, key: torch.Tensor, temperature: float) -> torch.Tensor:
    """The function ``ctr`` of algorithm 1."""
    logits = normalize(query, dim=1) @ normalize(key, dim=1).T / temperature
    return cross_entropy(logits, torch.arange(len(query))) * 2 * temperature


def test_three_steps_are_those_of_the_pseudocode_of_the_paper(make_batch: Any, record_difference: Any) -> None:
    model, loss = moco_v3(), MoCoV3Loss(temperature=0.2)
    other = copy.deepcopy(model)
    optimizers = [torch.optim.SGD(one.parameter_groups(), lr=0.5) for one in (model, other)]
    for step in range(3):
        x1, x2 = make_batch(step).views
        value = model.training_step(make_batch(step), loss).loss
        q1, q2 = (other.prediction(other.projection(other.backbone(x))) for x in (x1, x2))
        with torch.no_grad():
            k1, k2 = (other.key_projection(other.key_backbone(x)) for x in (x1, x2))
        expected = contrast(q1, k2, 0.2) + contrast(q2, k1, 0.2)
        record_difference("moco_v3", "the paper's pseudocode, three steps", (value - expected).abs().item())
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
        for one, optimizer in zip((value, expected), optimizers, strict=True):
            optimizer.zero_grad()
            one.backward()
            optimizer.step()
        model.after_step()
        momentum = 1 - (1 - 0.9) * (1 + math.cos(math.pi * step / 10)) / 2
        with torch.no_grad():
            pairs = [(other.key_backbone, other.backbone), (other.key_projection, other.projection)]
            for slow, fast in pairs:
                for key, query in zip(slow.parameters(), fast.parameters(), strict=True):
                    key.mul_(momentum).add_(query, alpha=1 - momentum)
    for weight, expected_weight in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(weight, expected_weight, rtol=1e-12, atol=1e-12)


def test_the_head_is_lightlys_but_for_the_scale_of_its_last_normalization() -> None:
    """The paper's last normalization has neither scale nor shift; lightly's starts with 1 and 0."""
    head = moco_v3(projection=[12, 12, 6]).projection
    theirs = MoCoProjectionHead(head[0].in_features, 12, 6, num_layers=3, batch_norm=True).double()
    state = {f"layers.{name}": value for name, value in head.state_dict().items()}
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert (sorted(missing), unexpected) == (["layers.7.bias", "layers.7.weight"], [])
    features = torch.randn(9, head[0].in_features, dtype=torch.float64)
    torch.testing.assert_close(head(features), theirs(features))


def test_the_patch_projection_of_a_vision_transformer_can_be_frozen() -> None:
    vit = sslreg.build("backbone", "vit_b_32", in_channels=3, image_size=32)
    model = MoCoV3(vit, total_steps=10, projection=[8, 4], prediction=[4], freeze_patch_projection=True)
    frozen = {name for name, weight in model.backbone.named_parameters() if not weight.requires_grad}
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in frozen} == {"conv_proj"}
    (group,) = model.parameter_groups()
    assert all(weight.requires_grad for weight in group["params"])


def test_a_backbone_without_a_patch_projection_cannot_freeze_it() -> None:
    with pytest.raises(ValueError, match="needs a backbone that begins with a patch projection"):
        moco_v3(freeze_patch_projection=True)
