"""MAE against lightly's modules; its masks, its parameters, and refused specs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from lightly.models.modules import MaskedVisionTransformerTorchvision
from lightly.models.utils import get_at_index, normalize_mean_var, patchify, set_at_index
from torch import Tensor, nn

import sslreg
from sslreg.assembly import try_spec
from sslreg.spec import load_spec
from sslreg_backbones.vit import ViT
from sslreg_losses import MAELoss
from sslreg_models.mae import MAE


def mae(**parameters: Any) -> MAE:
    torch.manual_seed(0)
    backbone = ViT(in_channels=1, image_size=8, patch_size=2, width=8, depth=2, heads=2)
    given = {"decoder_depth": 2, "decoder_width": 12, "decoder_heads": 3}
    return MAE(backbone, in_channels=1, **{**given, **parameters}).double()


class LightlyMAE(nn.Module):
    """MAE by lightly's modules, with the weights of a model under test."""

    def __init__(self, model: MAE, decoder: nn.Module) -> None:
        super().__init__()
        body = copy.deepcopy(model.backbone).body
        self.encoder = MaskedVisionTransformerTorchvision(
            body, weight_initialization="skip", pos_embed_initialization="skip"
        )
        self.embedding, self.projection = copy.deepcopy([model.decoder.embedding, model.decoder.projection])
        self.decoder = decoder
        self.double()

    def step(self, images: Tensor, keep: Tensor, masked: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
        """Take a step; the numbers of patches (N, K) start at 0."""
        class_token = torch.zeros(len(images), 1, dtype=torch.int64)
        keep, masked = torch.cat([class_token, keep + 1], dim=1), masked + 1
        embedded = self.embedding(self.encoder.encode(images, idx_keep=keep))
        everything = set_at_index(embedded.new_zeros(len(images), 17, embedded.shape[2]), keep, embedded)
        decoded = get_at_index(self.decoder(everything, idx_mask=masked), masked)
        target = normalize_mean_var(get_at_index(patchify(images, 2), masked - 1))
        loss = nn.functional.mse_loss(self.projection(decoded), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss


def test_three_steps_are_those_of_lightlys_modules(
    make_batch: Any, copy_to_lightly: Any, record_difference: Any
) -> None:
    model, loss = mae(), MAELoss()
    lightly = LightlyMAE(model, copy_to_lightly(model.decoder, 16))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    other = torch.optim.SGD([one for one in lightly.parameters() if one.requires_grad], lr=0.1)
    for seed in range(3):
        batch = one_view(make_batch(seed))
        masks = model.masks.sample(batch.keys("masks"), (4, 4))
        keep, masked = sslreg.patch_indices(masks.context), sslreg.patch_indices(masks.targets[:, 0])
        value = model.training_step(batch, loss).loss
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        expected = lightly.step(batch.views[0], keep, masked, other)
        record_difference("mae", "lightly's modules, three steps", (value - expected).abs().item())
        # lightly's position embeddings are in single precision.
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)


def one_view(batch: sslreg.Batch) -> sslreg.Batch:
    batch.views = batch.views[:1]
    return batch


class RecordingLoss(MAELoss):
    """Records the masks."""

    def forward(self, prediction: Tensor, patches: Tensor, masked: Tensor) -> Tensor:
        self.masked = masked
        return super().forward(prediction, patches, masked)


def test_three_quarters_of_the_patches_are_masked_by_default(make_batch: Any) -> None:
    loss = RecordingLoss()
    mae().training_step(one_view(make_batch(0)), loss)
    assert loss.masked.sum(dim=1).tolist() == [12] * 8


def test_masked_patches_do_not_reach_the_predictions(make_batch: Any) -> None:
    model, batch = mae(), one_view(make_batch(0))
    context = model.masks.sample(batch.keys("masks"), (4, 4)).context
    images = batch.views[0].requires_grad_()

    class SumOfPredictions(sslreg.Loss):
        def forward(self, prediction: Tensor, patches: Tensor, masked: Tensor) -> Tensor:
            return prediction.square().sum()

    model.training_step(batch, SumOfPredictions()).loss.backward()
    gradient = patchify(images.grad, 2).abs().sum(dim=2)
    assert torch.equal(gradient > 0, context)


def test_images_may_have_different_numbers_of_masked_patches(make_batch: Any) -> None:
    model, loss = mae(masks=sslreg.build("mask_sampler", "block", share=0.5, ratio=(0.3, 0.8))), RecordingLoss()
    output = model.training_step(one_view(make_batch(0)), loss)
    assert loss.masked.sum(dim=1).unique().numel() > 3
    assert output.loss.isfinite()
    assert output.embeddings is None


def test_the_images_may_have_another_size_than_the_backbone_was_built_for() -> None:
    batch = sslreg.Batch([torch.rand(4, 1, 6, 10, dtype=torch.float64)], None, torch.arange(4))
    assert mae().training_step(batch, MAELoss()).loss.isfinite()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"decoder_width": 10, "decoder_heads": 5}, "decoder_width is 10; it should be a multiple of 4"),
        ({"decoder_width": 12, "decoder_heads": 5}, "decoder_width is 12; it should be a multiple of decoder_heads, 5"),
    ],
)
def test_a_decoder_of_an_impossible_width_is_refused(parameters: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mae(**parameters)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["views.0.repeat=2"], "takes 1 view of an image, but the spec makes 2"),
        (["model.backbone={use: convnet}"], "PatchBackbone"),
        (["views.0.augment.0.size=[15, 15]"], "images of 15x15 pixels do not divide into patches of 4x4"),
        (["model.masks={use: random, unit: 3}"], "do not divide into squares of 3x3 patches"),
        (["loss={use: nt_xent}"], "patches and mask"),
    ],
)
def test_check_refuses_specs_that_cannot_work(overrides: list[str], message: str) -> None:
    with pytest.raises(sslreg.UserError, match=message):
        try_spec(load_spec("digits-mae", overrides))
