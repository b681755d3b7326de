"""The checks of models name the mistakes that authors of methods make."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import sslreg
from sslreg.testing.checks import CHECKS
from sslreg.testing.tiny_components import TinyModel

MOMENTUM = 0.996


class Student(TinyModel):
    """A correct method: a student predicts its momentum encoder. All faulty models derive from it."""

    gives = ("student and teacher",)
    roles: ClassVar[Any] = {"global": (2, 2), "local": (0, None)}

    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__(backbone)
        self.head = nn.Linear(self.embedding_dim, self.embedding_dim)
        self.target = sslreg.momentum_copy(backbone)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        views = self.arrange_views(batch)
        student = [self.head(features) for features in sslreg.forward_by_size(self.backbone, views)]
        return sslreg.StepOutput(loss(student, self.embed_targets(views[:2])), embeddings=student[0])

    def arrange_views(self, batch: sslreg.Batch) -> list[Tensor]:
        return [*batch.views_of("global"), *batch.views_of("local")]

    @torch.no_grad()
    def embed_targets(self, views: list[Tensor]) -> list[Tensor]:
        return [self.target(view) for view in views]

    def after_step(self) -> None:
        sslreg.follow(self.target, self.backbone, MOMENTUM)


class TargetStandsStill(Student):
    def after_step(self) -> None: ...


class TargetMovesInTrainingStep(Student):
    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        with torch.no_grad():
            next(self.target.parameters()).mul_(MOMENTUM)
        return super().training_step(batch, loss)


class TargetMovesInBeforeStep(Student):
    def before_step(self) -> None:
        with torch.no_grad():
            next(self.target.parameters()).mul_(MOMENTUM)


class TargetRequiresGradient(Student):
    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__(backbone)
        self.target.requires_grad_()


class TargetIsInParameterGroups(Student):
    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.parameters())}]


class TargetIsThePlainBackbone(Student):
    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__(backbone)
        self.target = self.backbone


class TargetSharesALayer(Student):
    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__(backbone)
        self.target.convolution = self.backbone.convolution


class TargetIsAPlainCopy(Student):
    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__(backbone)
        self.target = copy.deepcopy(backbone)


class ForgetsItsStep(Student):
    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__(backbone)
        self.step = 0

    def after_step(self) -> None:
        sslreg.follow(self.target, self.backbone, min(1.0, MOMENTUM + 1e-4 * self.step))
        self.step += 1


class ForgetsRandomPrototypes(Student):
    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__(backbone)
        self.prototypes = torch.randn(self.embedding_dim, self.embedding_dim)

    def embed_targets(self, views: list[Tensor]) -> list[Tensor]:
        return [embeddings @ self.prototypes for embeddings in super().embed_targets(views)]


class FailsWithoutGradients(Student):
    def before_step(self) -> None:
        self.head.weight.grad.clamp_(-1, 1)


class FailsAfterAStepWithoutGradients(Student):
    def after_step(self) -> None:
        super().after_step()
        self.norm = self.head.weight.grad.norm()


class TakesGroupZero(Student):
    def arrange_views(self, batch: sslreg.Batch) -> list[Tensor]:
        pairs = sorted(zip(batch.groups, batch.views, strict=True), key=lambda pair: pair[0])
        return [view for _, view in pairs]


class TakesFirstViews(Student):
    def arrange_views(self, batch: sslreg.Batch) -> list[Tensor]:
        return batch.views


class MixesTypes(Student):
    def embed_targets(self, views: list[Tensor]) -> list[Tensor]:
        targets = super().embed_targets(views)
        for embeddings in targets:
            linear = embeddings @ self.head.weight
            torch.zeros(embeddings.shape).index_add_(0, torch.arange(len(linear)), linear)
        return targets


class StacksViewsOfOneSize(Student):
    def arrange_views(self, batch: sslreg.Batch) -> list[Tensor]:
        return list(torch.stack(super().arrange_views(batch)))


class NeverFillsItsBank(Student):
    def __init__(self, backbone: sslreg.Backbone, memory_bank: sslreg.MemoryBank) -> None:
        super().__init__(backbone)
        memory_bank.hold(self.embedding_dim)
        self.memory_bank = memory_bank


class HidesItsBank(Student):
    def __init__(self, backbone: sslreg.Backbone, memory_bank: sslreg.MemoryBank) -> None:
        super().__init__(backbone)
        memory_bank.hold(self.embedding_dim)
        self.memory_banks = [memory_bank]

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        output = super().training_step(batch, loss)
        self.memory_banks[0].enqueue(output.embeddings)
        return output


class Distilled(Student):
    """Also predicts an external teacher, correctly."""

    def __init__(self, backbone: sslreg.Backbone, teacher: sslreg.Backbone) -> None:
        super().__init__(backbone)
        self.teacher = sslreg.frozen(teacher)

    def embed_targets(self, views: list[Tensor]) -> list[Tensor]:
        return [self.teacher(view) for view in views]


class TeacherInTrainMode(Distilled):
    def __init__(self, backbone: sslreg.Backbone, teacher: sslreg.Backbone) -> None:
        super().__init__(backbone, teacher)
        self.teacher.wrapped.train()


class TeacherInTrainModeDuringTheStep(Distilled):
    def embed_targets(self, views: list[Tensor]) -> list[Tensor]:
        self.teacher.wrapped.train()
        targets = super().embed_targets(views)
        self.teacher.wrapped.eval()
        return targets


class TeacherWithGradients(Distilled):
    def __init__(self, backbone: sslreg.Backbone, teacher: sslreg.Backbone) -> None:
        super().__init__(backbone, teacher)
        teacher.requires_grad_()


class TeacherThatChanges(Distilled):
    @torch.no_grad()
    def after_step(self) -> None:
        super().after_step()
        self.teacher.convolution.weight.mul_(MOMENTUM)


class TeacherThatIsAlsoAPart(Distilled):
    def __init__(self, backbone: sslreg.Backbone, teacher: sslreg.Backbone) -> None:
        super().__init__(backbone, teacher)
        self.reference = teacher


class Masked(sslreg.Model):
    """Predicts the mean colors of masked patches. Its slot takes backbones of patches alone."""

    gives = ("patches and mask",)
    views = (1, 1)

    def __init__(self, backbone: sslreg.PatchBackbone, masks: sslreg.MaskSampler) -> None:
        super().__init__()
        self.backbone = backbone
        self.masks = masks
        self.mask_token = nn.Parameter(torch.zeros(backbone.token_features))
        self.head = nn.Linear(backbone.token_features, 3)
        self.embedding_dim = 3

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        (images,) = batch.views
        masked = self.masks.sample(batch.keys("masks"), self.backbone.grid(images)).targets.any(dim=1)
        patches = self.backbone.tokens(images, mask=masked, mask_token=self.mask_token)[1]
        colors = nn.functional.avg_pool2d(images, self.backbone.patch_size).flatten(2).mT
        return sslreg.StepOutput(loss(self.head(patches), colors, masked))


#: A component, the check that fails, and a part of its message.
FAULTS = [
    (TargetStandsStill, "moves_momentum_encoders_after_the_step", "target does not move in after_step; call"),
    (TargetMovesInTrainingStep, "moves_momentum_encoders_after_the_step", "target moves in training_step"),
    (TargetMovesInBeforeStep, "moves_momentum_encoders_after_the_step", "target moves in before_step"),
    (TargetRequiresGradient, "keeps_momentum_encoders_apart", "requires a gradient, but belongs to a sslreg"),
    (TargetIsInParameterGroups, "keeps_momentum_encoders_apart", "is in parameter_groups, but belongs to"),
    (TargetIsThePlainBackbone, "trains", "shares parameters with the module that it follows"),
    (TargetSharesALayer, "keeps_momentum_encoders_apart", "is the same parameter as backbone.convolution"),
    (TargetIsAPlainCopy, "gives_every_trained_parameter_a_gradient", "target.* requires a gradient, but a st"),
    (ForgetsItsStep, "survives_a_checkpoint", "target.* differs in a resumed model; keep everything that ste"),
    (ForgetsRandomPrototypes, "survives_a_checkpoint", "a resumed model computes another loss"),
    (FailsWithoutGradients, "takes_steps_without_gradients", "before_step fails if parameters have no grad"),
    (FailsAfterAStepWithoutGradients, "takes_steps_without_gradients", "after_step fails if parameters have"),
    (TakesGroupZero, "finds_views_by_their_roles", "changes with the entries .* find views by their roles"),
    (TakesFirstViews, "finds_views_by_their_roles", "changes with the entries .* find views by their roles"),
    (MixesTypes, "trains_in_bfloat16", "a step fails in trainer.precision: bf16-mixed: RuntimeError"),
    (StacksViewsOfOneSize, "performs_a_training_step", "stack expects each tensor to be equal size"),
    (NeverFillsItsBank, "fills_its_memory_banks", "a step of NeverFillsItsBank does not fill its memory bank"),
    (HidesItsBank, "fills_its_memory_banks", "does not store its memory bank as a module, so training neither"),
    (TeacherInTrainMode, "leaves_frozen_modules_alone", "teacher is in train mode, but sslreg.frozen keeps"),
    (TeacherInTrainModeDuringTheStep, "leaves_frozen_modules_alone", "teacher is in train mode, but sslreg"),
    (TeacherWithGradients, "leaves_frozen_modules_alone", "teacher gets gradients, but is sslreg.frozen"),
    (TeacherThatChanges, "leaves_frozen_modules_alone", "convolution.weight of teacher changes, but is"),
    (TeacherThatIsAlsoAPart, "leaves_frozen_modules_alone", "are also parameters of the model"),
]


@pytest.mark.parametrize(("component", "check", "message"), FAULTS)
def test_a_fault_is_named(run_check, component, check, message) -> None:
    with pytest.raises((AssertionError, ValueError, RuntimeError), match=f"(?s){message}"):
        run_check("model", component, check)


@pytest.mark.parametrize("component", [Student, Distilled, Masked])
def test_a_correct_model_passes(run_check, component) -> None:
    for check in CHECKS["model"]:
        run_check("model", component, check)
