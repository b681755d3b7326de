"""DINOv2's loss against the formula of the paper, in float64, and its temperature."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import log_softmax, normalize

from sslreg_losses import DINOv2Loss

#: The masked patches of two views of five images of six patches. The first image of the first view has none.
MASKS = torch.tensor([[0, 1, 6, 2, 3], [5, 0, 1, 1, 2]])[..., None] > torch.arange(6)
MASKED = int(MASKS.sum())


def make_inputs(make_views: Any, local_views: int = 1) -> tuple[Any, ...]:
    student, teacher = make_views(5, 7, 2 + local_views), make_views(5, 7, 2, seed=1)
    return student, teacher, *make_views(MASKED, 7, 2, seed=2), MASKS, make_views(5, 4, 2, seed=3)


def sinkhorn_knopp(output: Tensor, temperature: float) -> Tensor:
    """Return the assignments of the paper, by alternating normalization of a matrix of shares."""
    shares = (output / temperature).exp()
    for _ in range(3):
        shares = shares / shares.sum(dim=0, keepdim=True) / shares.shape[1]
        shares = shares / shares.sum(dim=1, keepdim=True) / shares.shape[0]
    return shares * shares.shape[0]


def formula(inputs: tuple[Any, ...], temperature: float, koleo_weight: float) -> Tensor:
    """Return the sum of the losses of section 4: DINO, iBOT and KoLeo, which has the weight 0.1 in the paper."""
    student, teacher, student_patches, teacher_patches, masks, features = inputs
    targets = sinkhorn_knopp(torch.cat(teacher), temperature).chunk(2)
    pairs = [(t, s) for i, t in enumerate(targets) for j, s in enumerate(student) if i != j]
    dino = torch.stack([-(t * log_softmax(s / 0.1, 1)).sum(1).mean() for t, s in pairs]).mean()
    terms = masks.double()
    terms[masks] = -(sinkhorn_knopp(teacher_patches, temperature) * log_softmax(student_patches / 0.1, 1)).sum(1)
    ibot = (terms.sum(-1) / masks.sum(-1).clamp(min=1)).mean()
    koleo = 0.0
    for rows in (normalize(view, dim=1) for view in features):
        distances = torch.cdist(rows, rows) + torch.eye(len(rows)) * 9
        koleo = koleo - distances.min(dim=1).values.log().mean()
    return dino + ibot + koleo_weight * koleo


@pytest.mark.parametrize(("local_views", "koleo_weight"), [(0, 0.1), (3, 0.1), (1, 0.0)])
def test_equals_the_formula_of_the_paper(
    make_views: Any, record_difference: Any, local_views: int, koleo_weight: float
) -> None:
    inputs = make_inputs(make_views, local_views)
    value, expected = DINOv2Loss(2, koleo_weight=koleo_weight)(*inputs), formula(inputs, 0.04, koleo_weight)
    record_difference("dinov2", "the paper's formula", (value - expected).abs().item())
    torch.testing.assert_close(value, expected, rtol=1e-7, atol=1e-7)
    trained = [*inputs[0], inputs[2], *(inputs[5] if koleo_weight else ())]
    for own, other in zip(torch.autograd.grad(value, trained), torch.autograd.grad(expected, trained), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-6, atol=1e-7)


def test_the_teacher_gets_no_gradient(make_views: Any) -> None:
    inputs = make_inputs(make_views)
    DINOv2Loss(2)(*inputs).backward()
    assert all(tensor.grad is not None for tensor in [*inputs[0], inputs[2], *inputs[5]])
    assert all(tensor.grad is None for tensor in [*inputs[1], inputs[3]])


def test_a_batch_without_masked_patches_has_a_finite_loss(make_views: Any) -> None:
    student, teacher, student_patches, teacher_patches, masks, features = make_inputs(make_views)
    loss = DINOv2Loss(2)
    value = loss(student, teacher, student_patches[:0], teacher_patches[:0], torch.zeros_like(masks), features)
    value.backward()
    assert value.isfinite()
    assert student_patches.grad is not None
    assert all(view.grad.isfinite().all() for view in [*student, student_patches, *features])


def test_the_temperature_rises_only_in_commit_and_survives_a_checkpoint(make_views: Any) -> None:
    inputs = make_inputs(make_views)
    loss, restored = (DINOv2Loss(2, warmup_teacher_temperature_epochs=1) for _ in range(2))
    first = loss(*inputs)
    loss.discard()
    loss.commit()
    assert torch.equal(loss(*inputs), first)
    loss.commit()
    loss.commit()
    torch.testing.assert_close(loss(*inputs), formula(inputs, 0.055, 0.1))
    restored.load_state_dict(loss.state_dict())
    assert torch.equal(restored(*inputs), loss(*inputs))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(make_views: Any, dtype: torch.dtype) -> None:
    student, teacher, *patches, masks, features = make_inputs(make_views)
    groups = [[one.detach().to(dtype) for one in each] for each in (student, teacher, patches, features)]
    exact = [[one.double() for one in each] for each in groups]
    value, expected = (
        DINOv2Loss(2)(student, teacher, *patches, masks, features)
        for student, teacher, patches, features in (groups, exact)
    )
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=1e-4)
