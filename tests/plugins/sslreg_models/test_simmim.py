"""SimMIM against lightly's modules and the authors' formula, and its masks."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from lightly.models.modules import MaskedVisionTransformerTorchvision
from lightly.models.utils import get_at_index, patchify
from torch import Tensor, nn

import sslreg
from sslreg_backbones.vit import ViT
from sslreg_losses import SimMIMLoss
from sslreg_models.simmim import SimMIM


def simmim(**parameters: Any) -> SimMIM:
    torch.manual_seed(0)
    backbone = ViT(in_channels=1, image_size=8, patch_size=2, width=8, depth=2, heads=2)
    masks = sslreg.build("mask_sampler", "random", ratio=0.6, unit=2)
    return SimMIM(backbone, in_channels=1, **{"masks": masks, **parameters}).double()


def one_view(batch: sslreg.Batch) -> sslreg.Batch:
    batch.views = batch.views[:1]
    return batch


def test_three_steps_are_those_of_lightlys_modules(make_batch: Any, record_difference: Any) -> None:
    model, loss = simmim(), SimMIMLoss()
    encoder = MaskedVisionTransformerTorchvision(
        copy.deepcopy(model.backbone).body,
        mask_token=nn.Parameter(model.mask_token.detach().clone().view(1, 1, -1)),
        weight_initialization="skip",
        pos_embed_initialization="skip",
    )
    head = copy.deepcopy(model.head)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    other = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
    for seed in range(3):
        batch = one_view(make_batch(seed))
        masked = sslreg.patch_indices(model.masks.sample(batch.keys("masks"), (4, 4)).targets[:, 0])
        value = model.training_step(batch, loss).loss
        prediction = head(get_at_index(encoder.encode(batch.views[0], idx_mask=masked + 1), masked + 1))
        expected = nn.functional.l1_loss(prediction, get_at_index(patchify(batch.views[0], 2), masked))
        record_difference("simmim", "lightly's modules, three steps", (value - expected).abs().item())
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
        for one, own in ((value, optimizer), (expected, other)):
            own.zero_grad()
            one.backward()
            own.step()
    torch.testing.assert_close(model.mask_token, encoder.mask_token.flatten(), rtol=1e-12, atol=1e-12)


def test_the_pixels_of_masked_patches_do_not_reach_the_predictions(make_batch: Any) -> None:
    model, batch = simmim(), one_view(make_batch(0))
    masked = model.masks.sample(batch.keys("masks"), (4, 4)).targets[:, 0]
    images = batch.views[0].requires_grad_()

    class SumOfPredictions(sslreg.Loss):
        def forward(self, prediction: Tensor, patches: Tensor, masked: Tensor) -> Tensor:
            return prediction.square().sum()

    model.training_step(batch, SumOfPredictions()).loss.backward()
    assert torch.equal(patchify(images.grad, 2).abs().sum(dim=2) > 0, ~masked)


@pytest.mark.parametrize(("patch_size", "unit"), [(4, 8), (16, 2), (14, 2), (32, 1), (64, 1)])
def test_by_default_squares_of_32_pixels_are_masked(patch_size: int, unit: int) -> None:
    model = SimMIM(ViT(image_size=2 * patch_size, patch_size=patch_size, width=8, depth=1, heads=2))
    assert (model.masks.ratio, model.masks.unit) == (0.6, unit)
