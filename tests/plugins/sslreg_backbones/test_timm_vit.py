import copy
import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("timm", reason="timm is an extra")

import timm
from lightly.models.modules.masked_vision_transformer_timm import MaskedVisionTransformerTIMM
from timm.layers import resample_abs_pos_embed, resample_patch_embed
from timm.models.deit import VisionTransformerDistilled
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer

from sslreg_backbones.timm_models import TimmViT, build_timm_model
from sslreg_backbones.timm_vit import prepare_state_dict

SMALL: dict[str, Any] = {
    "img_size": 32,
    "patch_size": 8,
    "embed_dim": 24,
    "depth": 2,
    "num_heads": 2,
    "num_classes": 0,
    "dynamic_img_size": True,
}
ROTARY: dict[str, Any] = {**SMALL, "use_rot_pos_emb": True}

#: Small modules of timm: its class and the arguments in which families differ.
MODULES: dict[str, tuple[type, dict[str, Any]]] = {
    "ViT": (VisionTransformer, SMALL),
    "DINOv2": (VisionTransformer, {**SMALL, "reg_tokens": 2, "no_embed_class": True, "init_values": 1e-5}),
    "CLIP": (VisionTransformer, {**SMALL, "pre_norm": True}),
    "SigLIP": (VisionTransformer, {**SMALL, "class_token": False, "global_pool": "map"}),
    "mean": (VisionTransformer, {**SMALL, "class_token": False, "global_pool": "avg"}),
    "distilled DeiT": (VisionTransformerDistilled, SMALL),
    "EVA-02": (Eva, {**ROTARY, "ref_feat_shape": (4, 4), "swiglu_mlp": True, "qkv_fused": False}),
    "DINOv3": (
        Eva,
        {**ROTARY, "embed_dim": 32, "rope_type": "dinov3", "use_abs_pos_emb": False, "num_reg_tokens": 2},
    ),
    "mixed RoPE": (Eva, {**ROTARY, "rope_type": "mixed", "use_abs_pos_emb": False, "no_embed_class": True}),
}


@pytest.fixture(params=MODULES)
def vit(request: pytest.FixtureRequest) -> TimmViT:
    torch.manual_seed(0)
    build, arguments = MODULES[request.param]
    body = build(**arguments)
    for parameter in body.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return TimmViT(body, request.param, arguments).eval()


def images(rows: int = 4, columns: int = 4, count: int = 2) -> Tensor:
    return torch.rand(count, 3, 8 * rows, 8 * columns, generator=torch.Generator().manual_seed(rows))


@pytest.mark.parametrize("grid", [(4, 4), (2, 6)])
def test_features_are_timms(vit: TimmViT, grid: tuple[int, int]) -> None:
    with torch.no_grad():
        torch.testing.assert_close(vit(images(*grid)), vit.body(images(*grid)), rtol=0, atol=1e-6)


class Drop(torch.nn.Module):
    """Drops patches as timm's modules do, but chosen ones."""

    def __init__(self, body: Any, keep: Tensor) -> None:
        super().__init__()
        self.count, self.keep, self.returns_kept = body.num_prefix_tokens, keep, isinstance(body, Eva)

    def forward(self, tokens: Tensor) -> Any:
        kept = torch.stack([row[self.count + numbers] for row, numbers in zip(tokens, self.keep, strict=True)])
        dropped = torch.cat([tokens[:, : self.count], kept], dim=1)
        return (dropped, self.keep) if self.returns_kept else dropped


def test_dropped_patches_are_those_of_timms_patch_dropout(vit: TimmViT) -> None:
    """timm drops patches at random, after position embeddings, with the rotations of those that stay."""
    keep = torch.tensor([[0, 3, 5, 15], [1, 2, 9, 14]])
    tokens = torch.cat(vit.tokens(images(), keep=keep), dim=1)
    vit.body.patch_drop = Drop(vit.body, keep)
    torch.testing.assert_close(tokens, vit.body.forward_features(images()), rtol=1e-5, atol=1e-6)


def test_dropped_patches_are_those_of_lightly() -> None:
    torch.manual_seed(0)
    body = VisionTransformer(**SMALL)
    theirs = MaskedVisionTransformerTIMM(copy.deepcopy(body)).eval()
    # Its constructor replaces learned position embeddings.
    theirs.vit.load_state_dict(body.state_dict())
    keep = torch.tensor([[0, 3, 5, 15], [1, 2, 9, 14]])
    ours = torch.cat(TimmViT(body, "ViT", {}).eval().tokens(images(), keep=keep), dim=1)
    numbers = torch.cat([torch.zeros(2, 1, dtype=torch.int64), keep + 1], dim=1)  # 0 is the class token
    torch.testing.assert_close(ours, theirs.encode(images(), idx_keep=numbers), rtol=1e-5, atol=1e-6)


def test_nothing_attends_to_padding(vit: TimmViT) -> None:
    keep = torch.tensor([[0, 5, -1], [1, 2, 7]])
    prefix, patches = vit.tokens(images(), keep=keep)
    alone_prefix, alone = vit.tokens(images()[:1], keep=keep[:1, :2])
    torch.testing.assert_close((prefix[:1], patches[:1, :2]), (alone_prefix, alone), rtol=1e-4, atol=1e-5)


def test_the_mask_token_replaces_masked_patches(vit: TimmViT) -> None:
    mask, token = torch.zeros(2, 16, dtype=torch.bool), torch.ones(vit.token_features)
    torch.testing.assert_close(vit.tokens(images(), mask=mask, mask_token=token), vit.tokens(images()))
    mask[0, 3] = True
    changed = images()
    changed[0, :, 0:8, 24:32] = 9  # the masked patch
    masked = vit.tokens(images(), mask=mask, mask_token=token)
    torch.testing.assert_close(vit.tokens(changed, mask=mask, mask_token=token), masked)
    assert not torch.allclose(masked[1][0], vit.tokens(images())[1][0])


def test_the_class_tokens_attention_weights_the_values_of_the_last_block(vit: TimmViT) -> None:
    if not vit.has_class_token:
        with pytest.raises(ValueError, match="class token"):
            vit.class_attention(images())
        return
    attention = vit.class_attention(images(2, 3))
    assert attention.shape == (2, 2, 2, 3)
    assert attention.min() >= 0
    assert bool((attention.sum(dim=(2, 3)) < 1).all())
    assert vit.body.blocks[-1].attn.fused_attn


def test_parameters_are_listed_by_depth(vit: TimmViT) -> None:
    names = {id(parameter): name for name, parameter in vit.body.named_parameters()}
    layers = [[names[id(parameter)] for parameter in parameters] for parameters in vit.parameters_by_depth()]
    assert len(layers) == 4
    assert sorted(itertools.chain(*layers)) == sorted(names.values())
    assert {"patch_embed.proj.weight"} <= set(layers[0])
    assert all(name.startswith("blocks.0.") for name in layers[1])
    assert all(name.startswith(("norm.", "fc_norm.", "attn_pool.")) for name in layers[-1])


def test_gradients_are_equal_with_gradient_checkpointing(vit: TimmViT) -> None:
    vit.train()
    gradients = []
    for _ in range(2):
        vit.zero_grad()
        prefix, patches = vit.tokens(images(), keep=torch.tensor([[0, 5, -1], [1, 2, 7]]))
        torch.cat([prefix, patches[:, :2]], dim=1).square().sum().backward()
        gradients.append([parameter.grad for parameter in vit.body.blocks.parameters()])
        vit.enable_gradient_checkpointing()
    torch.testing.assert_close(gradients[0], gradients[1])


def test_spec_parameters_are_timms() -> None:
    backbone: Any = build_timm_model("test_vit", 1, 48, patch_size=8, registers=3, pool="mean", drop_path=0.2)
    assert backbone.body.patch_embed.grid_size == (6, 6)
    assert backbone.body.num_reg_tokens == 3
    assert backbone.body.blocks[-1].drop_path1.drop_prob == pytest.approx(0.2)
    prefix, patches = backbone.eval().tokens(torch.rand(2, 1, 24, 32))
    assert (prefix.shape[1], patches.shape[1]) == (4, 12)
    torch.testing.assert_close(backbone(torch.ones(2, 1, 24, 32)), backbone.tokens(torch.ones(2, 1, 24, 32))[1].mean(1))


@pytest.mark.parametrize("parameter", ["patch_size", "registers", "pool"])
def test_parameters_of_vision_transformers_are_refused_for_others(parameter: str) -> None:
    value: Any = "mean" if parameter == "pool" else 4
    with pytest.raises(ValueError, match=f"{parameter} is for Vision Transformers, but resnet10t is none; omit"):
        build_timm_model("resnet10t", **{parameter: value})


def test_a_class_token_is_refused_for_a_model_without_one() -> None:
    with pytest.raises(ValueError, match=r"timm cannot build 'test_vit3' .* Token pooling needs the class token"):
        build_timm_model("test_vit3", image_size=32, pool="class")


def test_weights_are_adapted_to_channels_and_grid(tmp_path: Path) -> None:
    theirs = timm.create_model("test_vit", img_size=64).eval()
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    ours: Any = build_timm_model("test_vit", 1, 96, weights=str(tmp_path / "vit.pth")).eval()
    expected = resample_abs_pos_embed(theirs.pos_embed, [6, 6], [4, 4], num_prefix_tokens=1)
    torch.testing.assert_close(ours.body.pos_embed, expected)
    filters = theirs.patch_embed.proj.weight
    torch.testing.assert_close(ours.body.patch_embed.proj.weight, filters.sum(dim=1, keepdim=True))


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    torch.save({"pos_embed": torch.zeros(3)}, tmp_path / "vit.pth")
    with pytest.raises(ValueError, match="the weights belong to another architecture"):
        build_timm_model("test_vit", image_size=32, weights=str(tmp_path / "vit.pth"))


#: Small models of timm's families.
NAMES = [
    "test_vit",
    "test_vit2",
    "test_vit3",
    "test_vit4",
    "vit_tiny_patch16_224",
    "deit_tiny_distilled_patch16_224",
    "vit_xsmall_patch16_clip_224",
    "vit_pwee_patch16_reg1_gap_256",
    "vit_dpwee_patch16_reg1_gap_256",
    "vit_dwee_patch16_reg1_gap_256",
    "eva02_tiny_patch14_224",
    "vit_tiny_patch16_dinov3_qkvb",
    "vit_pe_core_tiny_patch16_384",
    "vit_pe_spatial_tiny_patch16_512",
    "flexivit_small",
    "vit_small_patch16_rope_ape_224",
    "vit_small_patch16_rope_mixed_224",
    "vit_small_patch14_reg4_dinov2",
    "vit_small_patch16_18x2_224",
    "deit3_small_patch16_224",
    "vit_small_patch16_lingbot",
    "vit_base_patch32_siglip_256",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_features_of_timms_models_are_timms(name: str) -> None:
    theirs = timm.create_model(name, num_classes=0, dynamic_img_size=True).eval()
    ours = TimmViT(theirs, name, {}).eval()
    for rows, columns in ((4, 4), (2, 5)):
        photos = torch.rand(1, 3, rows * ours.patch_size, columns * ours.patch_size)
        with torch.no_grad():
            torch.testing.assert_close(ours(photos), theirs(photos), rtol=0, atol=1e-5)


def test_registers_that_a_file_lacks_start_anew(tmp_path: Path) -> None:
    theirs = timm.create_model("test_vit", img_size=64)
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    ours: Any = build_timm_model("test_vit", 3, 64, registers=3, weights=str(tmp_path / "vit.pth"))
    assert ours.loaded_weights.missing == {"reg_token": "not in the file"}
    torch.testing.assert_close(ours.body.pos_embed[:, [0, *range(4, 20)]], theirs.pos_embed)
    assert not ours.body.pos_embed[:, 1:4].any()


def test_filters_are_resampled_to_another_patch_size(tmp_path: Path) -> None:
    theirs = timm.create_model("test_vit", img_size=64)
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    ours: Any = build_timm_model("test_vit", 3, 64, patch_size=8, weights=str(tmp_path / "vit.pth"))
    torch.testing.assert_close(
        ours.body.patch_embed.proj.weight, resample_patch_embed(theirs.patch_embed.proj.weight, [8, 8], antialias=True)
    )
    assert ours.loaded_weights.adapted["patch_embed.proj.weight"] == "16x16 to 8x8 pixels"


def test_biases_that_the_model_lacks_are_refused_unless_they_are_zero() -> None:
    body = Eva(**{**MODULES["DINOv3"][1], "qkv_bias": False})
    bias = "blocks.0.attn.qkv.bias"
    state = {"storage_tokens": torch.zeros(1, 2, 32), bias: torch.zeros(96)}
    assert bias not in prepare_state_dict(body, state)
    with pytest.raises(ValueError, match=r"biases of queries and values, .*; use timm's model .* with _qkvb"):
        prepare_state_dict(body, state | {bias: torch.ones(96)})
