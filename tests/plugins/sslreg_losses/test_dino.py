"""DINO's loss against lightly's, and its staged center."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightly.loss import DINOLoss as LightlyLoss

from sslreg_losses import DINOLoss


def dino(**parameters: Any) -> DINOLoss:
    return DINOLoss(6, **{"steps_per_epoch": 2, **parameters}).double()


@pytest.mark.parametrize("local_views", [0, 3])
def test_three_steps_equal_lightly(make_views: Any, gradients: Any, local_views: int) -> None:
    loss, theirs = dino(warmup_teacher_temperature_epochs=1), LightlyLoss(6).double()
    for step in range(3):
        views = make_views(9, 6, 2 + local_views, seed=step)
        teacher = make_views(9, 6, seed=10 + step)
        value = loss(views, teacher)
        expected = theirs(teacher, views, teacher_temp=0.04 + 0.03 * min(step / 2, 1))
        # Lightly rounds the temperature to float32.
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(gradients(value, views), gradients(expected, views), rtol=1e-5, atol=1e-7)
        loss.commit()
        torch.testing.assert_close(loss.teacher_softmax.center, theirs.center[0, 0], rtol=1e-12, atol=1e-12)


def test_equals_the_formula_of_the_paper(make_views: Any) -> None:
    student, teacher = make_views(4, 6, 3), make_views(4, 6, seed=1)
    loss = dino()
    loss.teacher_softmax.center.uniform_()
    terms = []
    for number, t in enumerate(teacher):
        for other, s in enumerate(student):
            if number != other:
                p = ((t - loss.teacher_softmax.center) / 0.04).exp()
                q = (s / 0.1).exp()
                terms.append(-(p / p.sum(1, keepdim=True) * (q / q.sum(1, keepdim=True)).log()).sum(1).mean())
    torch.testing.assert_close(loss(student, teacher), torch.stack(terms).mean(), rtol=1e-12, atol=1e-12)


def test_the_teacher_gets_no_gradient(make_views: Any) -> None:
    student, teacher = make_views(4, 6), make_views(4, 6)
    dino()(student, teacher).backward()
    assert all(view.grad is not None for view in student)
    assert all(view.grad is None for view in teacher)


def test_the_center_and_the_temperature_move_only_in_commit_and_survive_a_checkpoint(make_views: Any) -> None:
    views = make_views(4, 6)
    loss, restored = dino(), dino()
    first = loss(views, views)
    loss.discard()
    loss.commit()
    assert torch.equal(loss(views, views), first)
    assert not loss.teacher_softmax.center.any()
    loss.commit()
    torch.testing.assert_close(loss.teacher_softmax.center, 0.1 * torch.stack(views).detach().mean(dim=(0, 1)))
    loss.commit()
    assert loss.teacher_softmax.temperature.step == 1
    restored.load_state_dict(loss.state_dict())
    assert torch.equal(restored(views, views), loss(views, views))


def test_the_center_of_accumulated_batches_is_that_of_their_union(make_views: Any) -> None:
    first, second = make_views(4, 6), make_views(4, 6, seed=1)
    apart, together = dino(), dino()
    for views in (first, second):
        apart(views, views)
    both = [torch.cat(pair) for pair in zip(first, second, strict=True)]
    together(both, both)
    for loss in (apart, together):
        loss.commit()
    torch.testing.assert_close(apart.teacher_softmax.center, together.teacher_softmax.center)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(make_views: Any, dtype: torch.dtype) -> None:
    views = [view.detach().to(dtype) for view in make_views(4, 6)]
    loss = DINOLoss(6, steps_per_epoch=1)
    exact = dino()([view.double() for view in views], [view.double() for view in views])
    torch.testing.assert_close(loss(views, views).double(), exact, rtol=1e-4, atol=1e-4)
    loss.commit()
    assert loss.teacher_softmax.center.dtype == torch.float32
