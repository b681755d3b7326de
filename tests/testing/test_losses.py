"""The checks of losses name the mistakes that authors of methods make, also in losses of a custom form."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import log_softmax, normalize, softmax

import sslreg
from sslreg import distributed
from sslreg.testing.checks import CHECKS
from sslreg.testing.tiny_components import TinyModel


class Student(TinyModel):
    """Gives its loss lists of embeddings, those of the global views twice."""

    gives = ("student and teacher",)
    roles: ClassVar[Any] = {"global": (2, 2), "local": (0, None)}

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        student = sslreg.forward_by_size(self.backbone, batch.views_of("global") + batch.views_of("local"))
        return sslreg.StepOutput(loss(student, [view.detach() for view in student[:2]]))


class Centered(sslreg.Loss):
    """A correct loss: cross-entropy with centered targets, like that of DINO. All faulty losses derive from it."""

    takes = "student and teacher"
    center: Tensor

    def __init__(self, embedding_dim: Annotated[int, sslreg.FromRun("embedding_dim")] = 8) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(embedding_dim))
        self.staged: Tensor | None = None

    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        targets = [softmax((view.float() - self.center) / 0.5, dim=1) for view in teacher]
        predictions = [log_softmax(view.float(), dim=1) for view in student]
        terms = [-(target * row).sum(1).mean() for n, target in enumerate(targets) for row in predictions[n + 1 :]]
        self.stage(torch.stack(teacher).detach().float().mean(dim=(0, 1)))
        return torch.stack(terms).mean()

    def stage(self, mean: Tensor) -> None:
        self.staged = distributed.mean(mean)

    def commit(self) -> None:
        if self.staged is not None:
            self.center.lerp_(self.staged, 0.5)
        self.staged = None

    def discard(self) -> None:
        self.staged = None


class CentersInForward(Centered):
    def stage(self, mean: Tensor) -> None:
        super().stage(mean)
        self.commit()


class CentersOutsideOfBuffers(Centered):
    def __init__(self, embedding_dim: Annotated[int, sslreg.FromRun("embedding_dim")] = 8) -> None:
        super().__init__(embedding_dim)
        del self.center
        self.center = torch.zeros(embedding_dim)


class CentersInForwardOutsideOfBuffers(CentersOutsideOfBuffers):
    def stage(self, mean: Tensor) -> None:
        self.center = (self.center + mean) / 2


class CentersThatAreNotSaved(Centered):
    def __init__(self, embedding_dim: Annotated[int, sslreg.FromRun("embedding_dim")] = 8) -> None:
        super().__init__(embedding_dim)
        self.register_buffer("center", self.center, persistent=False)


class CentersOfOneProcess(Centered):
    def stage(self, mean: Tensor) -> None:
        self.staged = mean


class CentersOfTheSum(Centered):
    def stage(self, mean: Tensor) -> None:
        self.staged = distributed.sum(mean)


class CollectsInTheFirstProcess(Centered):
    def stage(self, mean: Tensor) -> None:
        self.staged = mean if distributed.rank() else distributed.mean(mean)


class DiscardsNothing(Centered):
    def discard(self) -> None: ...


class CommitsTwice(Centered):
    def commit(self) -> None:
        if self.staged is not None:
            self.center.lerp_(self.staged, 0.5)


class LosesItsStep(Centered):
    def __init__(self, embedding_dim: Annotated[int, sslreg.FromRun("embedding_dim")] = 8) -> None:
        super().__init__(embedding_dim)
        self.step = 0

    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        return super().forward(student, teacher) * (1 + 0.1 * self.step)

    def commit(self) -> None:
        self.step += self.staged is not None
        super().commit()


class SharpensTheFirstSample(Centered):
    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        return super().forward(student, teacher) + student[0][0].square().sum()


class OverflowsInHalfPrecision(Centered):
    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        return super().forward(student, teacher) + ((1e4 * student[0]).square().mean(1) * 1e-8).mean()


class OverwritesItsInput(Centered):
    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        teacher[0].sub_(self.center + 1)
        return super().forward(student, teacher)


class IsDetached(Centered):
    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        return super().forward([view.detach() for view in student], teacher).requires_grad_()


class FailsInMixedPrecision(Centered):
    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        products = student[0] @ student[1].T
        rows = torch.zeros(products.shape).index_add(0, torch.arange(len(products)), products)
        return super().forward(student, teacher) + 0 * rows.mean(1).mean()


class ComparesItsBatch(sslreg.Loss):
    """Compares the samples of each process without saying so."""

    takes = "student and teacher"

    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        rows, others = normalize(student[0], dim=1), normalize(teacher[1], dim=1)
        return (rows @ others.T).square().mean()


class GathersWithoutGradients(sslreg.Loss):
    """Compares with the samples of other processes, which get no gradient."""

    takes = "student and teacher"
    compares_batch = True

    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        rows, others = normalize(student[0], dim=1), normalize(student[1], dim=1)
        if dist.is_initialized():
            everyone = [torch.empty_like(others) for _ in range(dist.get_world_size())]
            dist.all_gather(everyone, others)
            others = torch.cat(everyone)
        return (rows @ others.T).square().mean()


class KeepsItsBankEmpty(sslreg.Loss):
    def __init__(self, memory_bank: sslreg.MemoryBank | None = None) -> None:
        super().__init__()
        self.memory_bank = memory_bank

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        return (views[0] - views[1]).square().mean(1).mean()


class KeepsItsBankInAList(sslreg.Loss):
    def __init__(self, memory_bank: sslreg.MemoryBank | None = None) -> None:
        super().__init__()
        self.banks = [memory_bank] if memory_bank is not None else []

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        for bank in self.banks:
            bank.enqueue(views[1])
        return (views[0] - views[1]).square().mean(1).mean()


#: A component, the check that fails, and a part of its message.
FAULTS = [
    (CentersInForward, "changes_its_state_only_in_commit", "center changes in forward; stage the new value"),
    (CentersInForwardOutsideOfBuffers, "changes_its_state_only_in_commit", "a second call in a step gives ano"),
    (CentersOutsideOfBuffers, "survives_a_checkpoint", "a resumed loss has another value .* keep everything"),
    (CentersThatAreNotSaved, "survives_a_checkpoint", "a resumed loss has another value .* keep everything"),
    (LosesItsStep, "survives_a_checkpoint", "a resumed loss has another value .* keep everything"),
    (CentersOfOneProcess, "equals_one_process_in_two", "gives center another value than on one with the whole"),
    (CentersOfTheSum, "equals_one_process_in_two", "gives center another value than on one with the whole"),
    (CollectsInTheFirstProcess, "equals_one_process_in_two", "waits for a collective operation that the other"),
    (ComparesItsBatch, "equals_one_process_in_two", "the mean loss is another one .*declares compares_batch"),
    (GathersWithoutGradients, "equals_one_process_in_two", "a gradient is another one than on one with the"),
    (DiscardsNothing, "discards_skipped_steps", "center changes in a commit after a skipped step; implement"),
    (CommitsTwice, "changes_its_state_only_in_commit", "center changes in a second commit; forget what was"),
    (SharpensTheFirstSample, "does_not_depend_on_the_order_of_samples", "changes with the order of samples"),
    (OverflowsInHalfPrecision, "is_stable_in_every_precision", "not finite in torch.float16"),
    (OverwritesItsInput, "does_not_change_its_input", "forward changes its input; work on a copy"),
    (IsDetached, "is_differentiable", "no view gets a gradient"),
    (FailsInMixedPrecision, "trains_in_bfloat16", "a step fails in trainer.precision: bf16-mixed: RuntimeErr"),
    (KeepsItsBankEmpty, "fills_its_memory_banks", "a step of KeepsItsBankEmpty does not fill its memory bank"),
    (KeepsItsBankInAList, "fills_its_memory_banks", "does not store its memory bank as a module"),
]


@pytest.mark.parametrize(("component", "check", "message"), FAULTS)
def test_a_fault_is_named(run_check, component, check, message) -> None:
    with pytest.raises((AssertionError, ValueError, RuntimeError), match=f"(?s){message}"):
        run_check("loss", component, check, model=Student)


def test_a_correct_loss_passes(run_check) -> None:
    for check in CHECKS["loss"]:
        run_check("loss", Centered, check, model=Student)
