"""The stages of models of torchvision and timm, and what freezing them does."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from torch import nn

import sslreg
from sslreg import SslregError
from sslreg.spec import parse_spec
from sslreg_backbones import torchvision_models
from sslreg_backbones.convnet import ConvNet
from sslreg_backbones.stages import timm_parameters_by_depth
from sslreg_backbones.timm_models import build_timm_model
from sslreg_backbones.vit import ViT


def name_depths(backbone: sslreg.Backbone) -> list[set[str]]:
    """Return the first words of the names of the parameters at each depth, without ``body``."""
    names = {id(parameter): name for name, parameter in backbone.named_parameters()}
    return [{names[id(one)].split(".")[1] for one in group} for group in backbone.parameters_by_depth()]


def test_the_stages_of_a_resnet_are_its_layers() -> None:
    expected = [{"conv1", "bn1"}, {"layer1"}, {"layer2"}, {"layer3"}, {"layer4"}, set()]
    assert name_depths(torchvision_models.resnet18()) == expected
    assert name_depths(build_timm_model("resnet18")) == expected


@pytest.mark.parametrize(("name", "stages"), [("convnext_tiny", 7), ("vgg11_bn", 8), ("swin_t", 7), ("densenet121", 7)])
def test_the_stages_of_other_models_are_the_parts_of_their_features(name: str, stages: int) -> None:
    with torch.device("meta"):
        body = getattr(torchvision_models.models, name)()
    depths = torchvision_models.torchvision_parameters_by_depth(body)
    # The classifiers of torchvision's models, which backbones lack, count to the last ones.
    assert len(depths) - 2 >= stages
    assert sum(map(len, depths)) == len(list(body.parameters()))


def test_timms_norm_before_the_head_comes_after_the_stages() -> None:
    with torch.device("meta"):
        backbone = build_timm_model("convnext_atto")
    assert name_depths(backbone) == [{"stem"}, {"stages"}, {"stages"}, {"stages"}, {"stages"}, {"head"}]


def test_a_model_of_timm_without_groups_is_refused() -> None:
    with pytest.raises(ValueError, match="timm does not tell the stages of MetaFormer"):
        timm_parameters_by_depth(timm.create_model("poolformer_s12", num_classes=0))


def test_frozen_stages_keep_their_weights_and_statistics() -> None:
    backbone = torchvision_models.resnet18(stem="small", frozen_stages=2)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    trained = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    backbone.train()
    backbone(torch.rand(4, 3, 16, 16)).square().mean().backward()
    optimizer.step()
    changed = {
        name.split(".")[1] for name, value in backbone.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"layer3", "layer4"}
    assert backbone.body.layer3.training
    assert not backbone.body.bn1.training


def test_frozen_blocks_drop_nothing() -> None:
    vit = ViT(1, image_size=8, drop_path=0.5, frozen_stages=3).train()
    first, last = vit.body.encoder.layers[0], vit.body.encoder.layers[3]
    assert not any(module.training for module in first.modules())
    assert all(module.training for module in last.modules())
    assert not vit.body.class_token.requires_grad
    assert vit.body.encoder.ln.weight.requires_grad


def test_copies_are_frozen_too_and_can_be_unfrozen() -> None:
    backbone = ConvNet(1, width=2, depth=3, frozen_stages=1)
    slow = sslreg.momentum_copy(backbone).train()
    assert [module.training for module in slow.body if isinstance(module, nn.BatchNorm2d)] == [False, False, True]
    slow.unfreeze()
    assert all(module.training for module in slow.modules())
    assert all(parameter.requires_grad for parameter in slow.parameters())
    assert not backbone.body[1].training


def test_more_stages_than_a_backbone_has_are_refused(tiny_spec: str) -> None:
    for build in (lambda: ViT(frozen_stages=5), lambda: ConvNet(1, frozen_stages=5)):
        with pytest.raises(ValueError, match="frozen_stages is 5, but the backbone has 4 stages"):
            build()
    with pytest.raises(SslregError, match="frozen_stages is 3, but the backbone has 2 stages"):
        sslreg.assembly.try_spec(parse_spec(tiny_spec, "tiny.yaml", ["model.backbone.frozen_stages=3"]))


def test_a_run_with_a_momentum_encoder_keeps_frozen_stages(tiny_spec: str, tmp_path: Path) -> None:
    model = "model={use: byol, backbone: {use: convnet, width: 4, depth: 3, frozen_stages: 1}, projection: [8, 4]}"
    overrides = [model, "loss={use: byol}", "evaluate=[]", "trainer.max_epochs=1", "data.train.split=test"]
    run = sslreg.train(parse_spec(tiny_spec, "tiny.yaml", [*overrides, "engine.ema=0.9"]), tmp_path / "run")
    before, after = run.untrained_model().state_dict(), run.model().state_dict()
    kept = {name for name, value in after.items() if torch.equal(value, before[name])}
    frozen = {
        name for name in before if ".body.0." in name or ".body.1." in name or ".body.3." in name or ".body.4." in name
    }
    assert len(frozen) > 12  # of the backbone and of its momentum copy
    assert frozen <= kept
    assert not any("body.6.weight" in name for name in kept)
