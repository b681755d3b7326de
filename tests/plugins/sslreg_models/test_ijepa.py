"""I-JEPA against lightly's predictor; masks of different sizes; refused specs, and a run without a collapse."""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lightly.models.modules.ijepa_timm import IJEPAPredictorTIMM
from rich.console import Console
from torch import Tensor, nn
from torch.nn.functional import layer_norm, smooth_l1_loss

import sslreg
from sslreg.assembly import try_spec
from sslreg.contracts import SampleKeys
from sslreg.spec import load_spec
from sslreg_backbones.vit import ViT
from sslreg_losses import IJEPALoss
from sslreg_models.ijepa import IJEPA
from sslreg_models.ijepa_predictor import IJEPAPredictor


class GivenMasks(sslreg.MaskSampler):
    """A sampler of the same two target blocks for each image of 16 patches."""

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        count = len(keys.seeds())
        targets = select([[5, 6, 9], [6, 10, 14]]).expand(count, -1, -1)
        return sslreg.Masks(select([[0, 1, 4, 8, 15]]).expand(count, -1), targets)


def select(patches: Sequence[Sequence[int]]) -> Tensor:
    return torch.stack([torch.isin(torch.arange(16), torch.tensor(row)) for row in patches])


def ijepa(masks: sslreg.MaskSampler | None = None) -> IJEPA:
    torch.manual_seed(0)
    backbone = ViT(1, 16, patch_size=4, width=12, depth=2, heads=2, pool="mean")
    predictor = {"predictor_depth": 2, "predictor_width": 8, "predictor_heads": 2}
    return IJEPA(backbone, 10, masks, **predictor, momentum=0.9).double()


def batch(seed: int, count: int = 5) -> sslreg.Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 1, 16, 16, generator=generator, dtype=torch.float64)
    keys = SampleKeys.of_samples(seed, [0] * count, range(count))
    return sslreg.Batch([images], None, torch.arange(count), sample_keys=keys)


def lightly_predictor(ours: IJEPAPredictor) -> IJEPAPredictorTIMM:
    """Return lightly's predictor with the weights of ours."""
    theirs = IJEPAPredictorTIMM(num_patches=16, depth=2, mlp_dim=12, predictor_embed_dim=8, num_heads=2).double()
    names = {
        "embedding.": "predictor_embed.",
        "projection.": "predictor_proj.",
        "mask_token": "decoder.mask_token",
        "blocks.": "decoder.blocks.",
        "self_attn.in_proj_": "attn.qkv.",
        "self_attn.out_proj.": "attn.proj.",
        "linear1": "mlp.fc1",
        "linear2": "mlp.fc2",
    }
    state = {"decoder.pos_embed": sslreg.sine_cosine_embeddings((4, 4), 8)[None]}
    for name, value in ours.state_dict().items():
        renamed = f"decoder.{name}" if name.startswith("norm") else name
        for old, new in names.items():
            renamed = renamed.replace(old, new)
        state[renamed] = value[None, None] if name == "mask_token" else value
    theirs.load_state_dict(state)
    return theirs


def test_three_steps_are_those_of_lightlys_predictor(record_difference: Any) -> None:
    model, loss = ijepa(GivenMasks()), IJEPALoss()
    encoder, teacher = copy.deepcopy(model.context_encoder), copy.deepcopy(model.backbone)
    predictor = lightly_predictor(model.predictor)
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    other = torch.optim.SGD(sslreg.split_weight_decay(nn.ModuleList([encoder, predictor])), lr=0.5)
    context = torch.tensor([[0, 1, 4, 8, 15]] * 5)
    blocks = [torch.tensor([block] * 5) for block in ([5, 6, 9], [6, 10, 14])]
    for step in range(3):
        value = model.training_step(batch(step), loss).loss
        (images,) = batch(step).views
        with torch.no_grad():
            targets = layer_norm(teacher.tokens(images)[1], (12,))
        predicted = predictor(encoder.tokens(images, keep=context)[1], context, blocks)
        expected = smooth_l1_loss(predicted, torch.cat([targets[:, block[0]] for block in blocks]))
        record_difference("ijepa", "lightly's predictor, three steps", (value - expected).abs().item())
        torch.testing.assert_close(value, expected)
        for one, own in ((value, optimizer), (expected, other)):
            own.zero_grad()
            one.backward()
            own.step()
        model.after_step()
        sslreg.follow(teacher, encoder, 0.9 + 0.1 * step / 10)
    for one, theirs in ((model.backbone, teacher), (model.context_encoder, encoder)):
        for weight, expected_weight in zip(one.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(weight, expected_weight)


def test_blocks_of_different_sizes_do_not_change_each_other() -> None:
    """Rows are filled up to the longest of a batch, which an image on its own does not have."""
    model, whole = ijepa(), batch(0)
    masks = model.masks.sample(whole.keys("masks"), (4, 4))
    assert len(set(masks.context.sum(dim=1).tolist())) > 1
    assert len(set(masks.targets.sum(dim=2).flatten().tolist())) > 1

    value = model.training_step(whole, IJEPALoss()).loss

    singles = []
    for row in range(5):
        keys = SampleKeys.of_samples(0, [0], [row])
        single = sslreg.Batch([whole.views[0][row : row + 1]], None, torch.tensor([row]), sample_keys=keys)
        singles.append(model.training_step(single, IJEPALoss()).loss)
    patches = masks.targets.sum(dim=(1, 2))
    torch.testing.assert_close(value, (torch.stack(singles) * patches).sum() / patches.sum())


def test_the_teacher_is_used_after_training_and_the_context_encoder_is_trained() -> None:
    model = ijepa()
    assert list(model.trained_modules()) == [model.context_encoder, model.predictor]
    trained = {id(parameter) for group in model.parameter_groups() for parameter in group["params"]}
    assert trained == {id(parameter) for module in model.trained_modules() for parameter in module.parameters()}
    images = torch.rand(3, 1, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(model.eval().embed(images), model.backbone.tokens(images)[1].mean(dim=1))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.predictor_width=30"], "predictor_width is 30; it should be a multiple of 4"),
        (["model.predictor_width=32", "model.predictor_heads=3"], "should be a multiple of predictor_heads, 3"),
        (["model.backbone={use: convnet}"], "ConvNet is no sslreg.PatchBackbone"),
        (["model.backbone.patch_size=16"], "1x1 patches are too few to mask some of them"),
        (["views.0.repeat=2"], "takes 1 view of an image, but the spec makes 2"),
        (["trainer.precision=bf16-true"], "the momentum encoder of ijepa does not move in bf16-true"),
    ],
)
def test_check_refuses_specs_that_cannot_work(overrides: list[str], message: str) -> None:
    with pytest.raises(sslreg.UserError) as refused:
        try_spec(load_spec("digits-ijepa", overrides))
    (diagnostic,) = refused.value.diagnostics
    assert message in diagnostic.message
    assert diagnostic.line is not None


@pytest.mark.parametrize("masks", ["{use: random}", "{use: block}"])
def test_other_samplers_give_a_single_target(masks: str) -> None:
    assert try_spec(load_spec("digits-ijepa", [f"model.masks={masks}"])) == ()


def test_a_healthy_run_is_not_reported_as_a_collapse(tmp_path: Path) -> None:
    printed = io.StringIO()
    overrides = ["evaluate=[]", "model.backbone.patch_size=4", "trainer.limit_train_batches=8", "trainer.max_epochs=3"]
    sslreg.train(load_spec("digits-ijepa", overrides), tmp_path / "run", console=Console(file=printed, width=300))
    assert "collapse" not in printed.getvalue()
