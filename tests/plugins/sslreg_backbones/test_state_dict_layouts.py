"""Files in the layouts of libraries and authors, made from small models of timm with random weights."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

pytest.importorskip("timm", reason="timm is an extra")

from timm.layers import SwiGLUPacked
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer

from sslreg_backbones import torchvision_models
from sslreg_backbones.timm_models import TimmViT, build_timm_model
from sslreg_backbones.vit import ViT
from sslreg_backbones.weight_sources import open_weights

StateDict = dict[str, Tensor]

WIDTH, PATCH, SIZE, LARGER = 24, 8, 32, 48

SMALL: dict[str, Any] = {
    "patch_size": PATCH,
    "embed_dim": WIDTH,
    "depth": 3,
    "num_heads": 2,
    "num_classes": 0,
    "dynamic_img_size": True,
}
LAYER_SCALE: dict[str, Any] = {**SMALL, "init_values": 0.5}
REGISTERS: dict[str, Any] = {**LAYER_SCALE, "reg_tokens": 2, "no_embed_class": True}
GATED: dict[str, Any] = {**REGISTERS, "mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU}
DINOV3: dict[str, Any] = {
    **SMALL,
    "embed_dim": 32,
    "init_values": 0.5,
    "qkv_bias": True,
    "rope_type": "dinov3",
    "rope_rotate_half": True,
    "use_rot_pos_emb": True,
    "use_abs_pos_emb": False,
    "num_reg_tokens": 2,
    "use_fc_norm": False,
    "global_pool": "token",
}
DINOV3_GATED: dict[str, Any] = {**DINOV3, "swiglu_mlp": True, "swiglu_align_to": 8}


def rename(state: StateDict, *pairs: tuple[str, str]) -> StateDict:
    """Return a state dict in which regular expressions are replaced in all names."""
    renamed = {}
    for name, tensor in state.items():
        for pattern, replacement in pairs:
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor
    return renamed


def add_prefix(prefix: str, state: StateDict) -> StateDict:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def other(state: StateDict) -> StateDict:
    """Return another network of the same shapes."""
    return {name: torch.rand_like(tensor, dtype=torch.float32) for name, tensor in state.items()}


def dino(state: StateDict) -> Any:
    head = {"head.mlp.0.weight": torch.zeros(4, WIDTH), "head.last_layer.weight_g": torch.zeros(4, 1)}
    return {
        "student": add_prefix("module.backbone.", other(state)) | add_prefix("module.", head),
        "teacher": add_prefix("backbone.", state) | head,
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}},
        "args": argparse.Namespace(arch="vit_small", output_dir=Path()),
        "epoch": 100,
    }


def ibot(state: StateDict) -> Any:
    content = dino(state)
    content["student"]["module.backbone.masked_embed"] = torch.zeros(1, WIDTH)
    return content


def mae(state: StateDict) -> Any:
    extras = {"mask_token": (1, 1, 16), "decoder_embed.weight": (16, WIDTH), "decoder_pos_embed": (1, 17, 16)}
    return {"model": state | {name: torch.zeros(shape) for name, shape in extras.items()}}


def mae_training(state: StateDict) -> Any:
    return mae(state) | {"args": argparse.Namespace(model="mae_vit_base_patch16"), "scaler": {"scale": 65536.0}}


def moco_v3(state: StateDict) -> Any:
    head = {"head.0.weight": torch.zeros(8, WIDTH), "head.1.running_mean": torch.zeros(8)}
    return {
        "arch": "vit_small",
        "state_dict": add_prefix("module.base_encoder.", state | head)
        | add_prefix("module.momentum_encoder.", other(state) | head)
        | {"module.predictor.0.weight": torch.zeros(8, 8)},
    }


def dinov2(state: StateDict) -> Any:
    """The published weights: the class token has a position, registers have none, as in timm's early models."""
    state = rename(state, (r"^reg_token$", "register_tokens"), (r"\.fc1\.", ".w12."), (r"\.fc2\.", ".w3."))
    return undo_merged_class_token(state) | {"mask_token": torch.zeros(1, WIDTH)}


def dinov2_registers(state: StateDict) -> Any:
    state = rename(state, (r"^reg_token$", "register_tokens"))
    return undo_merged_class_token(state) | {"mask_token": torch.zeros(1, WIDTH)}


def dinov2_plain(state: StateDict) -> Any:
    return state | {"mask_token": torch.zeros(1, WIDTH)}


def undo_merged_class_token(state: StateDict) -> StateDict:
    """Return a state dict in which the class token's position embedding is separate."""
    position = torch.randn(1, 1, WIDTH)
    return state | {
        "cls_token": state["cls_token"] - position,
        "pos_embed": torch.cat([position, state["pos_embed"]], dim=1),
    }


def dinov2_training(state: StateDict) -> Any:
    """The teacher of a training with blocks in chunks of two."""
    chunked = {
        re.sub(r"^blocks\.(\d+)\.", lambda match: f"blocks.{int(match[1]) // 2}.{match[1]}.", name): tensor
        for name, tensor in dinov2_plain(state).items()
    }
    return {"teacher": add_prefix("backbone.", chunked) | {"dino_head.mlp.0.weight": torch.zeros(4, WIDTH)}}


def dinov3(state: StateDict) -> StateDict:
    state = rename(
        state,
        (r"^reg_token$", "storage_tokens"),
        (r"\.gamma_([12])$", r".ls\1.gamma"),
        (r"\.fc1_g\.", ".w1."),
        (r"\.fc1_x\.", ".w2."),
        (r"(mlp)\.fc2\.", r"\1.w3." if any(".fc1_g." in name for name in state) else r"\1.fc2."),
    )
    for name in [name for name in state if name.endswith(".q_bias")]:
        layer, query = name.removesuffix("q_bias"), state.pop(name)
        state[f"{layer}qkv.bias"] = torch.cat([query, torch.zeros_like(query), state.pop(f"{layer}v_bias")])
        state[f"{layer}qkv.bias_mask"] = torch.ones(3 * len(query))
    width = state["cls_token"].shape[-1]
    extras = {"mask_token": (1, width), "rope_embed.periods": (4,), "local_cls_norm.weight": (width,)}
    return state | {name: torch.zeros(shape) for name, shape in extras.items()}


def hugging_face(state: StateDict, *pairs: tuple[str, str]) -> StateDict:
    """Split queries, keys and values, and rename what ViTs of Hugging Face have in common."""
    split: StateDict = {}
    for name, tensor in state.items():
        if ".attn.qkv." in name:
            for part, piece in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                split[name.replace(".attn.qkv.", f".attention.attention.{part}.")] = piece
        else:
            split[name] = tensor
    return rename(
        split,
        (r"^(cls_token|mask_token|register_tokens)$", r"embeddings.\1"),
        (r"^pos_embed$", "embeddings.position_embeddings"),
        (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
        (r"\.attn\.proj\.", ".attention.output.dense."),
        (r"^norm\.", "layernorm."),
        (r"^blocks\.", "encoder.layer."),
        *pairs,
    )


def hugging_face_vit(state: StateDict) -> StateDict:
    return hugging_face(
        state,
        (r"\.norm1\.", ".layernorm_before."),
        (r"\.norm2\.", ".layernorm_after."),
        (r"\.mlp\.fc1\.", ".intermediate.dense."),
        (r"\.mlp\.fc2\.", ".output.dense."),
    ) | {"pooler.dense.weight": torch.zeros(WIDTH, WIDTH)}


def hugging_face_classifier(state: StateDict) -> StateDict:
    return add_prefix("vit.", hugging_face_vit(state)) | {"classifier.weight": torch.zeros(10, WIDTH)}


def hugging_face_dinov2(state: StateDict) -> StateDict:
    state = hugging_face(dinov2(state) if "reg_token" in state else dinov2_plain(state))
    return rename(
        state,
        (r"\.ls([12])\.gamma$", r".layer_scale\1.lambda1"),
        (r"\.mlp\.w12\.", ".mlp.weights_in."),
        (r"\.mlp\.w3\.", ".mlp.weights_out."),
    )


def hugging_face_dinov3(state: StateDict) -> StateDict:
    authors = dinov3(state)
    split: StateDict = {}
    for name, tensor in authors.items():
        if ".attn.qkv.bias_mask" in name or "rope" in name or "local_cls" in name:
            continue
        if ".attn.qkv." in name:
            for part, piece in zip("qkv", tensor.chunk(3), strict=True):
                if (part, name.rpartition(".")[2]) != ("k", "bias"):
                    split[name.replace(".attn.qkv.", f".attention.{part}_proj.")] = piece
        else:
            split[name] = tensor
    return rename(
        split,
        (r"^cls_token$", "embeddings.cls_token"),
        (r"^mask_token$", "embeddings.mask_token"),
        (r"^storage_tokens$", "embeddings.register_tokens"),
        (r"^patch_embed\.proj\.", "embeddings.patch_embeddings."),
        (r"^blocks\.", "layer."),
        (r"\.attn\.proj\.", ".attention.o_proj."),
        (r"\.ls([12])\.gamma$", r".layer_scale\1.lambda1"),
        (r"\.mlp\.w1\.", ".mlp.gate_proj."),
        (r"\.mlp\.(w2|fc1)\.", ".mlp.up_proj."),
        (r"\.mlp\.(w3|fc2)\.", ".mlp.down_proj."),
    )


def torchvision(state: StateDict) -> StateDict:
    return rename(
        state,
        (r"^cls_token$", "class_token"),
        (r"^pos_embed$", "encoder.pos_embedding"),
        (r"^patch_embed\.proj\.", "conv_proj."),
        (r"^blocks\.(\d+)\.norm([12])\.", r"encoder.layers.encoder_layer_\1.ln_\2."),
        (r"^blocks\.(\d+)\.attn\.qkv\.", r"encoder.layers.encoder_layer_\1.self_attention.in_proj_"),
        (r"^blocks\.(\d+)\.attn\.proj\.", r"encoder.layers.encoder_layer_\1.self_attention.out_proj."),
        (r"^blocks\.(\d+)\.mlp\.fc1\.", r"encoder.layers.encoder_layer_\1.mlp.0."),
        (r"^blocks\.(\d+)\.mlp\.fc2\.", r"encoder.layers.encoder_layer_\1.mlp.3."),
        (r"^norm\.", "encoder.ln."),
    ) | {"heads.head.weight": torch.zeros(10, WIDTH)}


def timm_training(state: StateDict) -> Any:
    """A checkpoint of timm's training script with an exponential moving average."""
    return {"arch": "vit", "state_dict": other(state), "state_dict_ema": state, "optimizer": {"param_groups": []}}


#: Layouts that every ViT with a class token can have, and whether `vit` has all that the source has.
PLAIN: dict[str, Callable[[StateDict], Any]] = {
    "timm": lambda state: state | {"head.weight": torch.zeros(10, WIDTH)},
    "timm's training": timm_training,
    "torchvision": torchvision,
    "DINO": dino,
    "iBOT": ibot,
    "MAE": mae,
    "MAE's training": mae_training,
    "MoCo v3": moco_v3,
    "Hugging Face's ViTModel": hugging_face_vit,
    "Hugging Face's ViTForImageClassification": hugging_face_classifier,
    "lightly": lambda state: {"state_dict": add_prefix("backbone.vit.", state)},
}

#: Layouts of families: timm's class and its arguments, and the layout.
FAMILIES: dict[str, tuple[type[nn.Module], dict[str, Any], Callable[[StateDict], Any]]] = {
    **{name: (VisionTransformer, SMALL, layout) for name, layout in PLAIN.items()},
    "DINOv2": (VisionTransformer, LAYER_SCALE, dinov2_plain),
    "DINOv2's training": (VisionTransformer, LAYER_SCALE, dinov2_training),
    "DINOv2 with registers": (VisionTransformer, REGISTERS, dinov2_registers),
    "DINOv2 with SwiGLU": (VisionTransformer, GATED, dinov2),
    "DINOv3": (Eva, DINOV3, dinov3),
    "DINOv3's training": (Eva, DINOV3, lambda state: {"teacher": add_prefix("backbone.", dinov3(state))}),
    "DINOv3 with SwiGLU": (Eva, DINOV3_GATED, dinov3),
    "Hugging Face's Dinov2Model": (VisionTransformer, LAYER_SCALE, hugging_face_dinov2),
    "Hugging Face's Dinov2WithRegistersModel": (VisionTransformer, GATED, hugging_face_dinov2),
    "Hugging Face's DINOv3ViTModel": (Eva, DINOV3, hugging_face_dinov3),
    "Hugging Face's DINOv3ViTModel with SwiGLU": (Eva, DINOV3_GATED, hugging_face_dinov3),
}


def build_timm(build: type[nn.Module], arguments: dict[str, Any], image_size: int = SIZE, channels: int = 3) -> Any:
    """Build a module of timm with random weights that are large enough to matter."""
    body: Any = build(img_size=image_size, in_chans=channels, **arguments)
    body.pretrained_cfg = {"classifier": "head"}
    for parameter in body.parameters():
        nn.init.normal_(parameter, std=0.3)
    return body.eval()


def make_images(channels: int, size: int) -> Tensor:
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(size))


def mix_channels(images: Tensor) -> Tensor:
    """Return images of 3 channels to which filters respond as adapted filters to images of any number."""
    channels = images.shape[1]
    if channels == 1:
        return images.expand(-1, 3, -1, -1)
    return torch.stack([images[:, first::3].sum(dim=1) * 3 / channels for first in range(3)], dim=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_vit_of_timm_has_the_features_of_the_source(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    build, arguments, layout = FAMILIES[family]
    source = build_timm(build, arguments)
    torch.save(layout(source.state_dict()), tmp_path / "weights.pth")
    for channels, size in ((3, SIZE), (3, LARGER), (1, SIZE), (5, SIZE), (5, LARGER)):
        backbone = TimmViT(build_timm(build, arguments, size, channels), family, {})
        backbone.load(open_weights(str(tmp_path / "weights.pth"), "timm", []))
        for images in (make_images(channels, size), make_images(channels, LARGER)):
            with torch.no_grad():
                torch.testing.assert_close(backbone(images), source(mix_channels(images)), rtol=1e-5, atol=1e-5)
        assert backbone.loaded_weights is not None
        assert backbone.loaded_weights.loaded == backbone.loaded_weights.tensors
        assert backbone.loaded_weights.missing == {}


def resize_positions(embeddings: Tensor, side: int) -> Tensor:
    """Interpolate position embeddings (1, 1 + L, D) as torchvision does."""
    before = int((embeddings.shape[1] - 1) ** 0.5)
    square = embeddings[:, 1:].reshape(1, before, before, -1).permute(0, 3, 1, 2)
    resized = nn.functional.interpolate(square, size=side, mode="bicubic", align_corners=True)
    return torch.cat([embeddings[:, :1], resized.flatten(2).transpose(1, 2)], dim=1)


@pytest.mark.parametrize("layout", PLAIN)
def test_a_vit_of_torchvision_has_the_features_of_the_source(layout: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = build_timm(VisionTransformer, SMALL)
    torch.save(PLAIN[layout](source.state_dict()), tmp_path / "weights.pth")
    for channels, size in ((3, SIZE), (3, LARGER), (1, SIZE), (5, LARGER)):
        backbone = ViT(channels, size, PATCH, WIDTH, depth=3, heads=2, weights=str(tmp_path / "weights.pth")).eval()
        expected = build_timm(VisionTransformer, SMALL, size)
        positions = resize_positions(source.pos_embed, size // PATCH)
        expected.load_state_dict({**source.state_dict(), "pos_embed": positions})
        images = make_images(channels, size)
        with torch.no_grad():
            torch.testing.assert_close(backbone(images), expected(mix_channels(images)), rtol=1e-5, atol=1e-5)
        assert backbone.loaded_weights is not None
        assert backbone.loaded_weights.loaded == backbone.loaded_weights.tensors


#: The layouts of ResNets.
RESNETS: dict[str, Callable[[StateDict], Any]] = {
    "torchvision": lambda state: state,
    "MoCo v2": lambda state: {
        "state_dict": add_prefix("module.encoder_q.", state)
        | add_prefix("module.encoder_k.", other(state))
        | {"module.queue": torch.zeros(128, 8), "module.queue_ptr": torch.zeros(1)}
    },
    "MoCo v3": moco_v3,
    "SwAV": lambda state: (
        add_prefix("module.", state)
        | {"module.projection_head.0.weight": torch.zeros(8, 8), "module.prototypes.weight": torch.zeros(8, 8)}
    ),
    "SimSiam": lambda state: {"state_dict": add_prefix("module.encoder.", state)},
    "DINO": dino,
    "VICReg": lambda state: {"model": add_prefix("module.backbone.", state), "optimizer": {}},
    "lightly with named modules": lambda state: {
        "state_dict": add_prefix("backbone.", state) | add_prefix("backbone_momentum.", other(state))
    },
    "lightly with numbered modules": lambda state: {
        "state_dict": add_prefix(
            "backbone.",
            rename(
                {name: tensor for name, tensor in state.items() if not name.startswith("fc.")},
                (r"^conv1\.", "0."),
                (r"^bn1\.", "1."),
                *((rf"^layer{stage}\.", f"{stage + 3}.") for stage in range(1, 5)),
            ),
        )
        | {"projection_head.layers.0.weight": torch.zeros(8, 8)}
    },
}


@pytest.fixture(scope="module")
def resnet() -> models.ResNet:
    torch.manual_seed(0)
    return models.resnet18().eval()


@pytest.mark.parametrize("layout", RESNETS)
@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_a_resnet_has_the_features_of_the_source(
    library: str, layout: str, resnet: models.ResNet, tmp_path: Path
) -> None:
    torch.save(RESNETS[layout](resnet.state_dict()), tmp_path / "weights.pth")
    images = make_images(5, SIZE)
    with torch.no_grad():
        expected = nn.Sequential(*list(resnet.children())[:-1], nn.Flatten())(mix_channels(images))
    weights = {"in_channels": 5, "weights": str(tmp_path / "weights.pth")}
    backbone: Any = (
        build_timm_model("resnet18", **weights) if library == "timm" else torchvision_models.resnet18(**weights)
    )
    with torch.no_grad():
        torch.testing.assert_close(backbone.eval()(images), expected, rtol=1e-5, atol=1e-5)
    assert backbone.loaded_weights.loaded == backbone.loaded_weights.tensors
