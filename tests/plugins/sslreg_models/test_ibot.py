"""iBOT against lightly's modules; its masks, its frozen last layer, and refused specs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from lightly.loss import DINOLoss as LightlyDINOLoss, IBOTPatchLoss as LightlyPatchLoss
from torch import nn

import sslreg
from sslreg.assembly import try_spec
from sslreg.contracts import SampleKeys
from sslreg.spec import load_spec
from sslreg.testing.tiny_components import RecordingLoss
from sslreg_backbones.vit import ViT
from sslreg_losses import IBOTLoss
from sslreg_models.ibot import IBOT


def ibot(**parameters: Any) -> IBOT:
    torch.manual_seed(0)
    given = {"projection": [12, 12, 6], "out_dim": 7, "steps_per_epoch": 1, "total_steps": 10, "momentum": 0.9}
    model = IBOT(ViT(1, 8, patch_size=2, width=8, depth=1, heads=2), **{**given, **parameters}).double()
    nn.init.normal_(model.mask_token)
    return model


def make_batch(seed: int, samples: int = 5) -> sslreg.Batch:
    generator = torch.Generator().manual_seed(seed)
    views = [torch.rand(samples, 1, size, size, generator=generator, dtype=torch.float64) for size in (8, 4, 8, 4)]
    keys = SampleKeys.of_samples(seed, [0] * samples, range(samples))
    roles = ("global", "local", "global", "local")
    return sslreg.Batch(views, None, torch.arange(samples), roles=roles, sample_keys=keys)


def record_inputs(model: IBOT, batch: sslreg.Batch) -> tuple[Any, ...]:
    loss = RecordingLoss(model.gives[0])
    model.training_step(batch, loss)
    return loss.calls[0][0]


@pytest.mark.parametrize("shared_head", [True, False])
def test_three_steps_are_those_of_lightlys_losses_and_single_views(shared_head: bool, record_difference: Any) -> None:
    model, loss = ibot(shared_head=shared_head), IBOTLoss(7, 1, warmup_teacher_temperature_epochs=0).double()
    student = nn.ModuleList([model.student_backbone, model.student_head.of_class, model.student_head.of_patches])
    student, teacher = copy.deepcopy(student), sslreg.momentum_copy(student)
    token = nn.Parameter(model.mask_token.detach().clone())
    of_class, of_patches = LightlyDINOLoss(7).double(), LightlyPatchLoss(7).double()
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5, weight_decay=0.1)
    other = torch.optim.SGD(sslreg.split_weight_decay([*student.parameters(), token]), lr=0.5, weight_decay=0.1)
    backbone, head = student[0], student[1]
    for step in range(3):
        batch = make_batch(step)
        masks = model.draw_masks(batch, batch.views_of("global"))
        value = model.training_step(batch, loss).loss
        first, third, second, fourth = *batch.views_of("global"), *batch.views_of("local")
        masked = [backbone.tokens(v, mask=m, mask_token=token) for v, m in zip((first, third), masks, strict=True)]
        classes = [tokens[0][:, 0] for tokens in (*masked, backbone.tokens(second), backbone.tokens(fourth))]
        with torch.no_grad():
            slow = [teacher[0].tokens(view) for view in (first, third)]
            slow_patches = (teacher[2] or teacher[1])(torch.cat([t[1][m] for t, m in zip(slow, masks, strict=True)]))
        patches = (student[2] or head)(torch.cat([t[1][m] for t, m in zip(masked, masks, strict=True)]))
        expected = of_class([teacher[1](t[0][:, 0]) for t in slow], [head(tokens) for tokens in classes], 0.07)
        expected = expected + of_patches(slow_patches, patches, masks.flatten(0, 1).unflatten(1, (4, 4)), 0.07)
        record_difference("ibot", "lightly's losses, three steps", (value - expected).abs().item())
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
        for one, own in ((value, optimizer), (expected, other)):
            own.zero_grad()
            one.backward()
        model.before_step()
        if step == 0:
            for each in (student[1], student[2]):
                if each is not None:
                    each.last_layer.weight.grad = None
        optimizer.step()
        other.step()
        momentum = model.momentum.value
        model.after_step()
        loss.commit()
        sslreg.follow(teacher, student, momentum)
    for weight, expected_weight in zip(model.backbone.parameters(), teacher[0].parameters(), strict=True):
        torch.testing.assert_close(weight, expected_weight, rtol=1e-6, atol=1e-6)


def test_masks_differ_by_view_and_do_not_depend_on_the_batch() -> None:
    model, whole, part = ibot(), make_batch(0, 9), make_batch(0, 4)
    masks = model.draw_masks(whole, whole.views_of("global"))
    assert not torch.equal(masks[0], masks[1])
    assert torch.equal(masks[:, :4], model.draw_masks(part, part.views_of("global")))


def test_only_masked_patches_reach_the_heads() -> None:
    model, batch = ibot(), make_batch(0)
    student, teacher, student_patches, teacher_patches, masks = record_inputs(model, batch)
    assert [len(student), len(teacher)] == [4, 2]
    assert len(student_patches) == len(teacher_patches) == masks.sum() > 0
    assert teacher_patches.grad_fn is None


def test_the_last_layers_are_frozen_for_the_first_epoch_also_after_a_checkpoint() -> None:
    model, restored = (ibot(steps_per_epoch=2, shared_head=False) for _ in range(2))
    model.after_step()
    restored.load_state_dict(model.state_dict())
    has_gradient = []
    for step in range(2):
        restored.training_step(make_batch(step), IBOTLoss(7, 2).double()).loss.backward()
        restored.before_step()
        heads = (restored.student_head.of_class, restored.student_head.of_patches)
        has_gradient.append([head.last_layer.weight.grad is not None for head in heads])
        restored.after_step()
    assert has_gradient == [[False, False], [True, True]]


def test_the_teacher_is_used_after_training_and_the_student_is_trained() -> None:
    model = ibot()
    assert list(model.trained_modules()) == [model.student_backbone]
    trained = {id(parameter) for group in model.parameter_groups() for parameter in group["params"]}
    student = [*model.student_backbone.parameters(), *model.student_head.parameters(), model.mask_token]
    assert trained == {id(parameter) for parameter in student}
    images = torch.rand(3, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(model.eval().embed(images), model.backbone(images))


def test_a_backbone_without_a_class_token_is_refused() -> None:
    backbone = ViT(1, 8, patch_size=2, width=8, depth=1, heads=2)
    backbone.has_class_token = False
    with pytest.raises(ValueError, match="the method needs a backbone with a class token"):
        IBOT(backbone, 1, 10)


def test_global_views_of_different_sizes_are_refused() -> None:
    batch = make_batch(0)
    batch.views[0] = batch.views[0][..., :4]
    with pytest.raises(ValueError, match="the global views differ in size; crop or resize all of them to one size"):
        ibot().training_step(batch, RecordingLoss())


@pytest.mark.parametrize("spec", ["digits-ibot", "digits-dinov2"])
@pytest.mark.parametrize(
    ("overrides", "code", "message"),
    [
        (["views.0.repeat=1"], "view-count", "takes at least 2 global views of an image, but the spec makes 1"),
        (["model.masks={use: multi_block}"], "bad-value", "the sampler draws 4 sets of patches for an image"),
        (["model.backbone={use: convnet}"], "wrong-component", "ConvNet is no sslreg.PatchBackbone"),
        (["views.1.augment.0.size=10"], "image-shape", "images of 10x10 pixels do not divide into patches of 4x4"),
        (["trainer.precision=bf16-true"], "wrong-value", "does not move in bf16-true"),
    ],
)
def test_check_refuses_specs_that_cannot_work(spec: str, overrides: list[str], code: str, message: str) -> None:
    with pytest.raises(sslreg.UserError) as refused:
        try_spec(load_spec(spec, overrides))
    (diagnostic,) = refused.value.diagnostics
    assert message in diagnostic.message
    assert diagnostic.code == code


def test_a_shared_head_normalizes_class_tokens_and_patches_together() -> None:
    head = ibot(batch_norm=True).student_head
    class_tokens, patches = torch.randn(5, 8, dtype=torch.float64), torch.randn(9, 8, dtype=torch.float64)
    outputs = torch.cat(head(class_tokens, patches))
    torch.testing.assert_close(outputs, head.of_class(torch.cat([class_tokens, patches])))
    assert not torch.allclose(outputs[:5], head.of_class(class_tokens))


def test_separate_heads_normalize_class_tokens_and_patches_apart() -> None:
    head = ibot(batch_norm=True, shared_head=False).student_head
    class_tokens, patches = torch.randn(5, 8, dtype=torch.float64), torch.randn(9, 8, dtype=torch.float64)
    outputs = head(class_tokens, patches)
    torch.testing.assert_close(outputs[0], head.of_class(class_tokens))
    torch.testing.assert_close(outputs[1], head.of_patches(patches))
