"""iBOT's loss against lightly's, the paper's formula, and its two staged centers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightly.loss import DINOLoss as LightlyDINOLoss, IBOTPatchLoss as LightlyPatchLoss
from torch import Tensor

from sslreg_losses import IBOTLoss

#: The masked patches of two views of five images of a 2x3 grid. The first image of the first view has none.
MASKS = torch.tensor([[0, 1, 6, 2, 3], [5, 0, 1, 1, 2]])[..., None] > torch.arange(6)
MASKED = int(MASKS.sum())


def ibot(**parameters: Any) -> IBOTLoss:
    return IBOTLoss(7, **{"steps_per_epoch": 2, **parameters}).double()


def make_inputs(make_views: Any, local_views: int = 1, seed: int = 0) -> tuple[Any, ...]:
    student, teacher = make_views(5, 7, 2 + local_views, seed=seed), make_views(5, 7, 2, seed=seed + 10)
    return student, teacher, *make_views(MASKED, 7, 2, seed=seed + 20), MASKS


@pytest.mark.parametrize("local_views", [0, 3])
def test_three_steps_equal_lightly(make_views: Any, record_difference: Any, local_views: int) -> None:
    loss = ibot(warmup_teacher_temperature_epochs=1, teacher_patch_temperature=0.1, patch_center_momentum=0.8)
    of_class, of_patches = LightlyDINOLoss(7).double(), LightlyPatchLoss(7, center_momentum=0.8).double()
    for step in range(3):
        student, teacher, student_patches, teacher_patches, masks = make_inputs(make_views, local_views, step)
        value = loss(student, teacher, student_patches, teacher_patches, masks)
        warmup = min(step / 2, 1)
        expected = of_class(teacher, student, teacher_temp=0.04 + 0.03 * warmup)
        grids = masks.flatten(0, 1).unflatten(1, (2, 3))
        expected = expected + of_patches(teacher_patches.detach(), student_patches, grids, 0.04 + 0.06 * warmup)
        record_difference("ibot", "lightly's losses, three steps", (value - expected).abs().item())
        # Lightly rounds the temperatures to float32.
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
        inputs = [*student, student_patches]
        for own, other in zip(torch.autograd.grad(value, inputs), torch.autograd.grad(expected, inputs), strict=True):
            torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-7)
        loss.commit()
        torch.testing.assert_close(loss.class_softmax.center, of_class.center[0, 0], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(loss.patch_softmax.center, of_patches.center.value[0], rtol=1e-12, atol=1e-12)


def test_equals_the_formula_of_the_paper(make_views: Any) -> None:
    student, teacher, student_patches, teacher_patches, masks = make_inputs(make_views)
    loss = ibot(warmup_teacher_patch_temperature=0.05)
    loss.class_softmax.center.uniform_()
    loss.patch_softmax.center.uniform_()

    def cross_entropy(t: Tensor, s: Tensor, center: Tensor, temperature: float) -> Tensor:
        p, q = ((t - center) / temperature).exp(), (s / 0.1).exp()
        return -(p / p.sum(-1, keepdim=True) * (q / q.sum(-1, keepdim=True)).log()).sum(-1)

    pairs = [(t, s) for i, t in enumerate(teacher) for j, s in enumerate(student) if i != j]
    between = [cross_entropy(t, s, loss.class_softmax.center, 0.04).mean() for t, s in pairs]
    terms = masks.double()
    terms[masks] = cross_entropy(teacher_patches, student_patches, loss.patch_softmax.center, 0.05)
    within = terms.sum(-1) / masks.sum(-1).clamp(min=1)
    expected = torch.stack(between).mean() + within.mean()
    value = loss(student, teacher, student_patches, teacher_patches, masks)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)


def test_the_teacher_gets_no_gradient(make_views: Any) -> None:
    student, teacher, student_patches, teacher_patches, masks = make_inputs(make_views)
    ibot()(student, teacher, student_patches, teacher_patches, masks).backward()
    assert all(view.grad is not None for view in [*student, student_patches])
    assert all(view.grad is None for view in [*teacher, teacher_patches])


def test_a_batch_without_masked_patches_moves_only_the_center_of_class_tokens(make_views: Any) -> None:
    student, teacher, student_patches, teacher_patches, masks = make_inputs(make_views)
    loss = ibot()
    value = loss(student, teacher, student_patches[:0], teacher_patches[:0], torch.zeros_like(masks))
    loss.commit()
    assert value.isfinite()
    assert loss.class_softmax.center.all()
    assert not loss.patch_softmax.center.any()
    assert loss.patch_softmax.temperature.step == 1


def test_centers_and_temperatures_move_only_in_commit_and_survive_a_checkpoint(make_views: Any) -> None:
    inputs = make_inputs(make_views)
    loss, restored = ibot(), ibot()
    first = loss(*inputs)
    loss.discard()
    loss.commit()
    assert torch.equal(loss(*inputs), first)
    loss.commit()
    torch.testing.assert_close(loss.patch_softmax.center, 0.1 * inputs[3].detach().mean(dim=0))
    loss.commit()
    assert loss.class_softmax.temperature.step == loss.patch_softmax.temperature.step == 1
    restored.load_state_dict(loss.state_dict())
    assert torch.equal(restored(*inputs), loss(*inputs))


def test_the_centers_of_accumulated_batches_are_those_of_their_union(make_views: Any) -> None:
    student, teacher, student_patches, teacher_patches, masks = make_inputs(make_views)
    first = (masks & (torch.arange(5) < 2)[:, None])[masks]
    parts, whole = ibot(), ibot()
    for images, patches in ((slice(0, 2), first), (slice(2, 5), ~first)):
        views = [[view[images] for view in views] for views in (student, teacher)]
        parts(*views, student_patches[patches], teacher_patches[patches], masks[:, images])
    whole(student, teacher, student_patches, teacher_patches, masks)
    for loss in (parts, whole):
        loss.commit()
    torch.testing.assert_close(parts.class_softmax.center, whole.class_softmax.center)
    torch.testing.assert_close(parts.patch_softmax.center, whole.patch_softmax.center)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(make_views: Any, dtype: torch.dtype) -> None:
    student, teacher, *patches, masks = make_inputs(make_views)
    student, teacher, patches = ([one.detach().to(dtype) for one in each] for each in (student, teacher, patches))
    exact = ibot()(
        [one.double() for one in student], [one.double() for one in teacher], *(one.double() for one in patches), masks
    )
    value = IBOTLoss(7, 2)(student, teacher, *patches, masks)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), exact, rtol=1e-4, atol=1e-4)
