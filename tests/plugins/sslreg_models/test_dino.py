"""DINO against lightly's modules; its frozen last layer, refused specs, and runs without a collapse."""

from __future__ import annotations

import copy
import io
import math
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from lightly.loss import DINOLoss as LightlyLoss
from lightly.models.modules.heads import DINOProjectionHead
from rich.console import Console
from torch import nn

import sslreg
from sslreg.assembly import try_spec
from sslreg.spec import load_spec
from sslreg_backbones.convnet import ConvNet
from sslreg_losses import DINOLoss
from sslreg_models.dino import DINO
from sslreg_models.dino_head import DINOHead


def dino(**parameters: object) -> DINO:
    torch.manual_seed(0)
    given = {"projection": [12, 12, 6], "out_dim": 7, "steps_per_epoch": 1, "total_steps": 10, "momentum": 0.9}
    return DINO(ConvNet(in_channels=1, width=4), **{**given, **parameters}).double()  # type: ignore[arg-type]


def batch(seed: int) -> sslreg.Batch:
    generator = torch.Generator().manual_seed(seed)
    views = [torch.rand(5, 1, size, size, generator=generator, dtype=torch.float64) for size in (16, 8, 16, 8)]
    return sslreg.Batch(views, None, torch.arange(5), roles=("global", "local", "global", "local"))


def lightly_head(ours: DINOHead, *, batch_norm: bool) -> DINOProjectionHead:
    """Return lightly's head with the weights of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # lightly uses torch's former weight normalization
        theirs = DINOProjectionHead(ours.layers[0].in_features, 12, 6, 7, batch_norm=batch_norm).double()
    state = {
        name.replace("last_layer.weight", "last_layer.weight_v"): value for name, value in ours.state_dict().items()
    }
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert (missing, unexpected) == (["last_layer.weight_g"], [])
    return theirs


@pytest.mark.parametrize("batch_norm", [False, True])
def test_three_steps_are_those_of_lightlys_modules(batch_norm: bool, record_difference: Any) -> None:
    model, loss = dino(batch_norm=batch_norm), DINOLoss(7, 1, teacher_temperature=0.04).double()
    backbone, teacher_backbone = copy.deepcopy(model.student_backbone), copy.deepcopy(model.backbone)
    head, teacher_head = (lightly_head(model.student_head, batch_norm=batch_norm) for _ in range(2))
    theirs = LightlyLoss(7).double()
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5, weight_decay=0.1)
    student = nn.ModuleList([backbone, head])
    other = torch.optim.SGD(sslreg.split_weight_decay(student), lr=0.5, weight_decay=0.1)
    for step in range(3):
        value = model.training_step(batch(step), loss).loss
        first, second, third, fourth = batch(step).views
        features = torch.cat([backbone(torch.cat([first, third])), backbone(torch.cat([second, fourth]))])
        with torch.no_grad():
            targets = teacher_head(teacher_backbone(torch.cat([first, third]))).chunk(2)
        expected = theirs(list(targets), list(head(features).chunk(4)), teacher_temp=0.04)
        record_difference("dino", "lightly's modules, three steps", (value - expected).abs().item())
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
        for one, own in ((value, optimizer), (expected, other)):
            own.zero_grad()
            one.backward()
        model.before_step()
        if step == 0:
            head.last_layer.weight_v.grad = None
        optimizer.step()
        other.step()
        model.after_step()
        loss.commit()
        momentum = 1 - (1 - 0.9) * (1 + math.cos(math.pi * step / 10)) / 2
        for slow, fast in ((teacher_backbone, backbone), (teacher_head, head)):
            sslreg.follow(slow, fast, momentum)
    for one, one_theirs in ((model.backbone, teacher_backbone), (model.student_backbone, backbone)):
        for weight, expected_weight in zip(one.parameters(), one_theirs.parameters(), strict=True):
            torch.testing.assert_close(weight, expected_weight, rtol=1e-6, atol=1e-6)


def test_the_last_layer_is_frozen_for_the_first_epoch_also_after_a_checkpoint() -> None:
    model, restored = dino(steps_per_epoch=2), dino(steps_per_epoch=2)
    model.after_step()
    restored.load_state_dict(model.state_dict())
    has_gradient = []
    for step in range(2):
        restored.training_step(batch(step), DINOLoss(7, 2).double()).loss.backward()
        restored.before_step()
        has_gradient.append(restored.student_head.last_layer.weight.grad is not None)
        restored.after_step()
    assert has_gradient == [False, True]


def test_the_teacher_is_used_after_training_and_the_student_is_trained() -> None:
    model = dino()
    assert list(model.trained_modules()) == [model.student_backbone]
    trained = {id(parameter) for group in model.parameter_groups() for parameter in group["params"]}
    student = [*model.student_backbone.parameters(), *model.student_head.parameters()]
    assert trained == {id(parameter) for parameter in student}
    images = torch.rand(3, 1, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(model.eval().embed(images), model.backbone(images))


@pytest.mark.parametrize(
    ("overrides", "code", "message"),
    [
        (["views.0.repeat=1"], "view-count", "takes at least 2 global views of an image, but the spec makes 1"),
        (
            ["model.backbone={use: vit_b_32}", "views.0.augment.0.size=[64, 64]", "views.1.augment.0.size=48"],
            "image-shape",
            "images of 48x48 pixels do not divide into patches of 32x32; let the views resize or crop to a multiple",
        ),
        (["trainer.precision=bf16-true"], "wrong-value", "the momentum encoder of dino does not move in bf16-true"),
    ],
)
def test_check_refuses_specs_that_cannot_work(overrides: list[str], code: str, message: str) -> None:
    with pytest.raises(sslreg.UserError) as refused:
        try_spec(load_spec("digits-dino", overrides))
    (diagnostic,) = refused.value.diagnostics
    assert diagnostic.code == code
    assert message in diagnostic.message


def test_check_accepts_a_vision_transformer_with_crops_of_two_sizes() -> None:
    overrides = ["model.backbone={use: vit_b_32}", "views.0.augment.0.size=[64, 64]", "views.1.augment.0.size=32"]
    assert try_spec(load_spec("digits-dino", overrides)) == ()


def test_crops_of_two_sizes_train_a_vision_transformer_of_timm(tmp_path: Path) -> None:
    overrides = ["model.backbone={use: timm, name: test_vit, patch_size: 4}", "evaluate=[]", "data.batch_size=8"]
    spec = load_spec("digits-dino", [*overrides, "schedule=null", "trainer.max_steps=2"])
    assert sslreg.train(spec, tmp_path / "run").summary["status"] == "finished"


@pytest.mark.parametrize("batch_norm", ["false", "true"])
def test_a_healthy_run_is_not_reported_as_a_collapse(tmp_path: Path, batch_norm: str) -> None:
    printed = io.StringIO()
    overrides = [
        f"model.batch_norm={batch_norm}",
        "evaluate=[]",
        "data.batch_size=32",
        "trainer.limit_train_batches=16",
    ]
    spec = load_spec("digits-dino", [*overrides, "trainer.max_epochs=3"])
    sslreg.train(spec, tmp_path / "run", console=Console(file=printed, width=300))
    assert "collapse" not in printed.getvalue()
