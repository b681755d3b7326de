"""Parameter groups with a layer decay."""

from __future__ import annotations

from typing import Any

import pytest
import timm
from timm.optim import param_groups_layer_decay

from sslreg.assembly import assemble, list_parameter_groups
from sslreg.errors import UserError
from sslreg.spec import Spec, load_spec, parse_spec
from sslreg_backbones.convnet import ConvNet


def scales_of(spec: Spec) -> tuple[Any, dict[int, float]]:
    model = assemble(spec).model
    groups = list_parameter_groups(spec, model)
    assert [group.get("lr_scale", 1) for group in groups] == sorted(
        (g.get("lr_scale", 1) for g in groups), reverse=True
    )
    return model, {id(weight): group.get("lr_scale", 1) for group in groups for weight in group["params"]}


def test_deeper_layers_of_a_student_have_higher_learning_rates() -> None:
    model, scales = scales_of(load_spec("digits-dinov2", ["model.backbone.depth=2", "optimizer.layer_decay=0.5"]))
    assert scales.keys() == {id(weight) for weight in model.parameters() if weight.requires_grad}
    first, second = model.student_backbone.body.encoder.layers
    assert {scales[id(weight)] for weight in first.parameters()} == {0.25}
    assert {scales[id(weight)] for weight in second.parameters()} == {0.5}
    assert scales[id(model.student_backbone.body.conv_proj.weight)] == 0.125
    assert {scales[id(weight)] for weight in (*model.student_head.parameters(), model.mask_token)} == {1}


def test_the_rates_are_those_of_timm() -> None:
    backbone = "{use: timm, name: vit_tiny_patch16_224, patch_size: 4}"
    model, scales = scales_of(load_spec("digits-simclr", [f"model.backbone={backbone}", "optimizer.layer_decay=0.75"]))
    # Without a classifier, timm counts the last norm to the last block.
    whole = timm.create_model("vit_tiny_patch16_224", patch_size=4, in_chans=1, img_size=16, num_classes=10)
    names = {id(weight): name for name, weight in whole.named_parameters()}
    expected = {
        names[id(weight)]: group["lr_scale"]
        for group in param_groups_layer_decay(whole, weight_decay=0.05, layer_decay=0.75)
        for weight in group["params"]
        if not names[id(weight)].startswith(("head", "norm"))
    }
    expected |= {"norm.weight": 1.0, "norm.bias": 1.0}
    own = {name: scales[id(weight)] for name, weight in model.backbone.body.named_parameters()}
    assert own == pytest.approx(expected)


def test_weight_decay_and_rates_reach_the_optimizer(tiny_spec: str) -> None:
    vit = "model.backbone={use: vit, patch_size: 4, width: 16, depth: 2, heads: 2}"
    pipeline = assemble(parse_spec(tiny_spec, "tiny.yaml", [vit, "optimizer.layer_decay=0.1"]))
    assert {round(group["lr"], 6) for group in pipeline.build_optimizer().param_groups} == {0.1, 0.01, 0.001, 0.0001}
    assert pipeline.learning_rate == 0.1


def test_without_a_decay_groups_are_those_of_the_model(tiny_spec: str) -> None:
    pipeline = assemble(parse_spec(tiny_spec, "tiny.yaml"))
    expected = list(pipeline.model.parameter_groups())
    assert [len(group["params"]) for group in list_parameter_groups(pipeline.spec, pipeline.model)] == [
        len(group["params"]) for group in expected
    ]


def test_a_convolutional_network_has_stages(tiny_spec: str) -> None:
    model, scales = scales_of(parse_spec(tiny_spec, "tiny.yaml", ["optimizer.layer_decay=0.5"]))
    depths = model.backbone.parameters_by_depth()
    expected = {id(weight): 0.5 ** (len(depths) - 1 - depth) for depth, own in enumerate(depths) for weight in own}
    assert {key: scales[key] for key in expected} == expected
    assert {scales[id(weight)] for weight in model.projection.parameters()} == {1}


def test_a_backbone_that_does_not_tell_its_stages_is_refused(tiny_spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ConvNet, "parameters_by_depth")
    with pytest.raises(UserError, match="ConvNet does not tell its stages"):
        assemble(parse_spec(tiny_spec, "tiny.yaml", ["optimizer.layer_decay=0.5"]))
