"""The distances of features against torch's losses."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_embedding_loss, mse_loss

from sslreg_losses import FeatureDistillationLoss

Distance = Literal["cosine", "squared"]


def features(*shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (2 * torch.randn(*shape, generator=generator, dtype=torch.float64) for _ in range(2))
    return student.requires_grad_(), teacher.requires_grad_()


def cosine_loss(student: Tensor, teacher: Tensor) -> Tensor:
    rows = student.reshape(-1, student.shape[-1]), teacher.reshape(-1, teacher.shape[-1])
    return cosine_embedding_loss(*rows, torch.ones(len(rows[0])))


@pytest.mark.parametrize("shape", [(6, 5), (3, 4, 5)])
@pytest.mark.parametrize(("distance", "theirs"), [("cosine", cosine_loss), ("squared", mse_loss)])
def test_a_distance_is_that_of_torch(distance: Distance, theirs: Any, shape: tuple[int, ...], gradients: Any) -> None:
    student, teacher = features(*shape)
    value, expected = FeatureDistillationLoss(distance)(student, teacher), theirs(student, teacher.detach())
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients(value, [student]), gradients(expected, [student]), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("distance", ["cosine", "squared"])
def test_the_teacher_gets_no_gradient(distance: Distance) -> None:
    student, teacher = features(6, 5)
    FeatureDistillationLoss(distance)(student, teacher).backward()
    assert teacher.grad is None


@pytest.mark.parametrize("distance", ["cosine", "squared"])
def test_half_precision_is_computed_in_float32(distance: Distance) -> None:
    student, teacher = features(6, 5)
    with torch.autocast("cpu", torch.bfloat16):
        assert FeatureDistillationLoss(distance)(student.bfloat16(), teacher.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("distance", ["cosine", "squared"])
def test_other_shapes_are_refused(distance: Distance) -> None:
    with pytest.raises(ValueError, match=r"\(6, 5\) and .*\(6, 1\) differ in shape"):
        FeatureDistillationLoss(distance)(torch.ones(6, 5), torch.ones(6, 1))
