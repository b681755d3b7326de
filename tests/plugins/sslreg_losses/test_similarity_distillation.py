"""The cross-entropy of similarities against the published code of lightly-train and SEED, restated in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax, normalize, softmax

from sslreg_losses import SimilarityDistillationLoss
from sslreg_memory_banks import FIFOMemoryBank


def make_bank(rows: int = 7, dim: int = 5) -> FIFOMemoryBank:
    """Return a memory bank with all but one of its rows filled."""
    bank = FIFOMemoryBank(rows + 1, dim, dtype="float64")
    bank.enqueue(normalize(torch.randn(rows, dim, dtype=torch.float64), dim=1))
    bank.commit()
    return bank


def entropy(probabilities: Tensor) -> Tensor:
    return -(probabilities * probabilities.log()).sum(dim=1).mean()


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_equals_the_divergence_of_lightly_train_and_the_entropy_of_the_teacher(
    make_views: Any, gradients: Any, temperature: float
) -> None:
    """lightly-train writes the teacher's features of the batch into its queue before it computes the loss."""
    student, teacher = make_views(6, 5)
    bank = make_bank()
    unit = normalize(teacher.detach(), dim=1)
    queue = torch.cat([unit, bank.negatives()])
    logits = normalize(student, dim=1) @ queue.T / temperature
    targets = softmax(unit @ queue.T / temperature, dim=1)
    divergence = kl_div(log_softmax(logits, dim=1), targets, reduction="batchmean")

    value = SimilarityDistillationLoss(temperature, memory_bank=bank)(student, teacher)

    torch.testing.assert_close(value, divergence + entropy(targets), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients(value, [student]), gradients(divergence, [student]), rtol=1e-10, atol=1e-12)


def test_the_teacher_may_have_a_temperature_of_its_own_as_in_seed(make_views: Any, gradients: Any) -> None:
    """With one image in the batch, the candidates are those of SEED: the image and the memory bank."""
    student, teacher = make_views(1, 5)
    bank = make_bank()
    unit, own = normalize(teacher.detach(), dim=1), normalize(student, dim=1)
    logits, targets = (
        torch.cat([(side * unit).sum(dim=1, keepdim=True), side @ bank.negatives().T], dim=1) for side in (own, unit)
    )
    expected = cross_entropy(logits / 0.2, softmax(targets / 0.01, dim=1))

    value = SimilarityDistillationLoss(0.2, 0.01, bank)(student, teacher)

    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients(value, [student]), gradients(expected, [student]), rtol=1e-10, atol=1e-12)


def test_a_patch_is_compared_with_the_patches_of_its_image(gradients: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    student.requires_grad_()
    images = []
    for own, other in zip(normalize(student, dim=2), normalize(teacher, dim=2), strict=True):
        images.append(cross_entropy(own @ other.T / 0.07, softmax(other @ other.T / 0.07, dim=1)))
    expected = torch.stack(images).mean()

    value = SimilarityDistillationLoss()(student, teacher)

    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients(value, [student]), gradients(expected, [student]), rtol=1e-10, atol=1e-12)


def test_features_of_the_teacher_reach_the_memory_bank_once_and_after_the_step(make_views: Any) -> None:
    student, teacher = make_views(6, 5)
    loss = SimilarityDistillationLoss(memory_bank=FIFOMemoryBank(20, 5, dtype="float64"))
    first = loss(student, teacher)
    assert len(loss.memory_bank.negatives()) == 0
    loss.commit()
    torch.testing.assert_close(loss.memory_bank.negatives(), normalize(teacher.detach(), dim=1))
    assert loss(student, teacher) > first  # the same images are twice among the candidates
    assert teacher.grad is None


def test_a_perfect_student_has_the_entropy_of_the_teacher_and_no_gradient(make_views: Any, gradients: Any) -> None:
    teacher = make_views(6, 5)[0]
    student = (3 * teacher.detach()).requires_grad_()
    value = SimilarityDistillationLoss()(student, teacher)
    unit = normalize(teacher.detach(), dim=1)
    torch.testing.assert_close(value.detach(), entropy(softmax(unit @ unit.T / 0.07, dim=1)))
    assert gradients(value, [student])[0].abs().max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(make_views: Any, dtype: torch.dtype) -> None:
    student, teacher = (view.detach().to(dtype) for view in make_views(6, 5))
    with torch.autocast("cpu", torch.bfloat16):
        value = SimilarityDistillationLoss()(student, teacher)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, SimilarityDistillationLoss()(student.float(), teacher.float()))


def test_features_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"features \(6, 5\) and \(6, 4\) differ in shape"):
        SimilarityDistillationLoss()(torch.ones(6, 5), torch.ones(6, 4))
    with pytest.raises(ValueError, match="holds rows of dim 5, but the keys have shape"):
        SimilarityDistillationLoss(memory_bank=make_bank())(torch.ones(6, 4, requires_grad=True), torch.ones(6, 4))


def test_a_memory_bank_for_patches_is_refused() -> None:
    with pytest.raises(ValueError, match="a patch is compared with the patches of its image; omit memory_bank"):
        SimilarityDistillationLoss(memory_bank=make_bank())(torch.ones(2, 3, 5), torch.ones(2, 3, 5))
