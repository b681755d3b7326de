"""DINOv2: what it adds to iBOT."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import sslreg
from sslreg.contracts import SampleKeys
from sslreg.testing.tiny_components import RecordingLoss
from sslreg_backbones.vit import ViT
from sslreg_losses import DINOv2Loss
from sslreg_models.dinov2 import DINOv2


def dinov2(**parameters: Any) -> DINOv2:
    torch.manual_seed(0)
    given = {"projection": [12, 6], "out_dim": 7, "steps_per_epoch": 1, "total_steps": 10}
    return DINOv2(ViT(1, 8, patch_size=2, width=8, depth=2, heads=2), **{**given, **parameters}).double()


@pytest.fixture
def batch() -> sslreg.Batch:
    generator = torch.Generator().manual_seed(0)
    views = [torch.rand(5, 1, size, size, generator=generator, dtype=torch.float64) for size in (8, 8, 4)]
    keys = SampleKeys.of_samples(0, [0] * 5, range(5))
    return sslreg.Batch(views, None, torch.arange(5), roles=("global", "global", "local"), sample_keys=keys)


def test_the_loss_gets_the_students_masked_class_tokens(batch: sslreg.Batch) -> None:
    model, loss = dinov2(), RecordingLoss()
    model.training_step(batch, loss)
    student, *_, masks, features = loss.calls[0][0]
    for view, mask, output, tokens in zip(batch.views_of("global"), masks, student[:2], features, strict=True):
        expected = model.student_backbone.tokens(view, mask=mask, mask_token=model.mask_token)[0][:, 0]
        torch.testing.assert_close(tokens, expected)
        torch.testing.assert_close(output, model.student_head.of_class(expected))


def test_patches_have_a_separate_head(batch: sslreg.Batch) -> None:
    model = dinov2()
    model.training_step(batch, DINOv2Loss(1)).loss.backward()
    first, second = model.student_head.of_class, model.student_head.of_patches
    assert isinstance(second, nn.Module)
    assert {id(weight) for weight in first.parameters()}.isdisjoint(id(weight) for weight in second.parameters())
    assert all(weight.grad is not None and weight.grad.any() for weight in second.parameters())
