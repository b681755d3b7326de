"""Distillation against torch's modules, and between networks of different kinds."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, interpolate

import sslreg
from sslreg import UserError
from sslreg.assembly import try_spec
from sslreg.spec import Spec, load_spec
from sslreg_backbones.convnet import ConvNet
from sslreg_backbones.torchvision_models import resnet18
from sslreg_backbones.vit import ViT
from sslreg_losses import FeatureDistillationLoss, SimilarityDistillationLoss
from sslreg_memory_banks import FIFOMemoryBank
from sslreg_models.distillation import Distillation, resize_grid


def vit(size: int = 8) -> ViT:
    """Return a Vision Transformer for gray images of four patches by four, whose tokens have 12 values."""
    return ViT(in_channels=1, image_size=size, patch_size=size // 4, width=12, depth=2, heads=2)


def distillation(student: sslreg.Backbone, teacher: sslreg.Backbone, **parameters: Any) -> Distillation:
    torch.manual_seed(0)
    return Distillation(student, teacher, **{"teacher_dtype": "float64", **parameters}).double()


def batch_of(*views: Tensor) -> sslreg.Batch:
    return sslreg.Batch(list(views), None, torch.arange(len(views[0])))


def test_three_steps_are_those_of_torchs_modules(make_batch: Any, record_difference: Any) -> None:
    model = distillation(ConvNet(in_channels=1, width=4), vit())
    backbone, projection = copy.deepcopy(model.backbone), copy.deepcopy(model.projection)
    teacher = copy.deepcopy(model.teacher.wrapped).eval()
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    other = torch.optim.SGD(nn.ModuleList([backbone, projection]).parameters(), lr=0.5)
    for seed in range(3):
        value = model.training_step(make_batch(seed), FeatureDistillationLoss()).loss
        images = torch.cat(make_batch(seed).views)
        with torch.no_grad():
            targets = teacher(images)
        expected = (1 - cosine_similarity(projection(backbone(images)), targets)).mean()
        record_difference("distillation", "torch's modules, three steps", (value - expected).abs().item())
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
        for loss, own in ((value, optimizer), (expected, other)):
            own.zero_grad()
            loss.backward()
            own.step()


def test_the_student_is_interpolated_to_the_patches_of_the_teacher(make_batch: Any) -> None:
    model = distillation(ConvNet(in_channels=1, width=4, depth=3), vit(), features="patches").eval()
    (images, _) = make_batch(0).views
    features = model.projection(model.backbone.body(images).permute(0, 2, 3, 1))
    assert features.shape == (8, 4, 4, 12)
    coarse = distillation(ConvNet(in_channels=1, width=4, depth=4), vit(), features="patches").eval()
    smaller = coarse.projection(coarse.backbone.body(images).permute(0, 2, 3, 1))
    assert smaller.shape == (8, 2, 2, 12)
    larger = interpolate(smaller.permute(0, 3, 1, 2), size=(4, 4), mode="bilinear").permute(0, 2, 3, 1)
    for each, student in ((model, features), (coarse, larger)):
        targets = each.teacher.wrapped.tokens(images)[1]
        expected = (student.flatten(1, 2) - targets).square().mean()
        value = each.training_step(batch_of(images), FeatureDistillationLoss("squared")).loss
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)


def test_the_teacher_computes_each_view_once_and_each_size_in_one_batch() -> None:
    model = distillation(ConvNet(in_channels=1, width=4), vit())
    sizes: list[tuple[int, ...]] = []
    model.teacher.wrapped.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape)))
    views = [torch.rand(3, 1, side, side, dtype=torch.float64) for side in (8, 4, 8)]
    model.training_step(batch_of(*views), FeatureDistillationLoss())
    assert sizes == [(6, 1, 8, 8), (3, 1, 4, 4)]


def make_resnet() -> sslreg.Backbone:
    return resnet18(in_channels=1, stem="small")


def make_vit() -> sslreg.Backbone:
    return vit(16)


LOSSES = {
    "pooled, features": ("pooled", FeatureDistillationLoss),
    "pooled, queue": ("pooled", lambda: SimilarityDistillationLoss(memory_bank=FIFOMemoryBank(16))),
    "patches, features": ("patches", FeatureDistillationLoss),
    "patches, similarities": ("patches", SimilarityDistillationLoss),
}


def make_images() -> Tensor:
    """Return eight gray images (16, 16) of different brightness and contrast."""
    generator = torch.Generator().manual_seed(0)
    brightness, contrast = torch.rand(2, 8, 1, 1, 1, generator=generator)
    return brightness + contrast * torch.rand(8, 1, 16, 16, generator=generator)


@torch.no_grad()
def excess(model: Distillation, loss: sslreg.Loss, images: Tensor) -> float:
    """Return how much the loss exceeds that of the teacher itself."""
    student, teacher = model.embed_by_student(images), model.embed_by_teacher(images)
    if model.features == "patches":
        student, teacher = (side.flatten(1, 2) for side in (resize_grid(student, teacher), teacher))
    return float(loss(student, teacher) - loss(teacher, teacher))


@pytest.mark.parametrize("case", LOSSES)
@pytest.mark.parametrize(
    ("student", "teacher", "rate", "steps"), [(make_resnet, make_vit, 3e-3, 4), (make_vit, make_resnet, 1e-2, 12)]
)
def test_networks_of_different_kinds_learn_from_each_other(
    student: Any, teacher: Any, rate: float, steps: int, case: str
) -> None:
    features, make_loss = LOSSES[case]
    torch.manual_seed(0)
    model, loss = Distillation(student(), teacher(), features=features), make_loss()
    if isinstance(loss, SimilarityDistillationLoss) and loss.memory_bank is not None:
        loss.memory_bank.hold(model.embedding_dim)
    optimizer = torch.optim.AdamW(model.parameter_groups(), lr=rate)
    images, measure = make_images(), type(loss)()
    before = excess(model, measure, images)
    for _ in range(steps):
        output = model.training_step(batch_of(images), loss)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        loss.commit()
    assert excess(model, measure, images) < 0.9 * before
    assert output.embeddings.shape == (8, model.embedding_dim)


def test_a_teacher_in_half_precision_gives_features_of_the_students_type() -> None:
    model = Distillation(ConvNet(in_channels=1, width=4), vit(), teacher_dtype="bfloat16")
    images = torch.rand(2, 1, 8, 8)
    assert {weight.dtype for weight in model.teacher.wrapped.parameters()} == {torch.bfloat16}
    assert model.embed_by_teacher(images).dtype == torch.float32
    assert model.training_step(batch_of(images), FeatureDistillationLoss()).loss.dtype == torch.float32


def test_patches_need_backbones_that_have_them() -> None:
    with pytest.raises(ValueError, match="Pooling has no features of patches"):
        Distillation(vit(), Pooling(), features="patches")
    Distillation(vit(), Pooling())


class Pooling(sslreg.Backbone):
    num_features = 1

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(1, 2, 3)).unsqueeze(1)


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Spec]:
    """Load the recipe for the digits, shortened, with a teacher in a file."""
    weights = tmp_path / "teacher.pth"
    torch.save(ConvNet(in_channels=1).state_dict(), weights)
    short = [f"model.teacher.weights={weights}", "evaluate=[]", "schedule=null", "trainer.max_steps=2"]
    return lambda *overrides: load_spec("digits-distillation", [*short, "checkpoint.every_steps=1", *overrides])


def test_a_run_names_the_weights_of_its_teacher_and_is_used_without_them(
    recipe: Callable[..., Spec], tmp_path: Path
) -> None:
    printed, weights = io.StringIO(), tmp_path / "teacher.pth"
    run = sslreg.train(
        recipe("model.teacher_dtype=bfloat16"), tmp_path / "run", console=Console(file=printed, width=300)
    )
    assert f"model.teacher: 25 of 25 tensors loaded from {weights}" in printed.getvalue()
    assert not [name for name in run.checkpoint()["state_dict"] if "teacher" in name]
    weights.unlink()
    (features,) = sslreg.load_run(run.path).embed([torch.zeros(1, 8, 8, dtype=torch.uint8)])
    assert features.shape == (128,)
    with pytest.raises(UserError, match=r"weights: .*teacher\.pth' is neither a file"):
        sslreg.train(recipe(), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_accumulated_steps_fill_the_queue_with_the_teachers_features(
    recipe: Callable[..., Spec], tmp_path: Path
) -> None:
    run = sslreg.train(recipe("trainer.accumulate_grad_batches=2"), tmp_path / "run")
    assert run.checkpoint()["state_dict"]["loss.memory_bank._extra_state"].tolist() == [256, 256]


@pytest.mark.parametrize("teacher", ["{use: vit, patch_size: 6}", "{use: timm, name: vit_tiny_patch16_224}"])
def test_views_that_do_not_divide_into_the_teachers_patches_are_refused(teacher: str) -> None:
    model = f"model={{use: distillation, backbone: {{use: convnet}}, teacher: {teacher}}}"
    overrides = [model, "loss={use: feature_distillation}", "views.0.augment.0.size=[20, 20]"]
    with pytest.raises(UserError, match=r"images of 20x20 pixels do not divide into patches of .* such as"):
        try_spec(load_spec("digits-simclr", overrides))


def test_views_of_another_size_that_the_teacher_refuses_name_the_teacher() -> None:
    model = distillation(ConvNet(in_channels=1, width=4), vit())
    with pytest.raises(ValueError, match="the teacher refuses the views: images of 9x9 pixels do not divide"):
        model.training_step(batch_of(torch.rand(2, 1, 9, 9, dtype=torch.float64)), FeatureDistillationLoss())
