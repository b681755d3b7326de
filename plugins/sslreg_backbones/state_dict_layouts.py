"""The names that libraries and authors give the tensors of a network, and their conversion to other names.

Vision Transformers are converted by way of the names of timm, which DINO, iBOT, DINOv2, DINOv3, MAE and MoCo v3 share
but for a few.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

StateDict = dict[str, Tensor]

#: Pairs of a regular expression for a name and its replacement.
_Renames = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Layout:
    """The names of a network's tensors in the files of a library.

    Attributes:
        name: The name of the layout.
        anchor: The name of a tensor that only this layout has. Its prefix in a file is the prefix of all names.
        convert: A function that converts a state dict with these names to other names.
    """

    name: str
    anchor: str
    convert: Callable[[StateDict], StateDict]

    def find_prefixes(self, tensors: Mapping[str, Tensor]) -> list[str]:
        """Return the prefixes of the names of this layout in a file, one for each network."""
        named = [name for name in tensors if name == self.anchor or name.endswith(f".{self.anchor}")]
        return [name.removesuffix(self.anchor) for name in named]


def strip_prefix(tensors: Mapping[str, Tensor], prefix: str) -> StateDict:
    """Return the tensors whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _rename(state: Mapping[str, Tensor], renames: _Renames) -> StateDict:
    """Return a state dict in which each name is changed by all pairs in turn."""

    def new_name(name: str) -> str:
        for pattern, replacement in renames:
            name = re.sub(pattern, replacement, name)
        return name

    return {new_name(name): tensor for name, tensor in state.items()}


#: DINOv2 divides blocks into chunks and counts through them: block 5 is ``blocks.1.5`` if it is in the second chunk.
_UNCHUNK: _Renames = ((r"^blocks\.\d+\.(\d+)\.", r"blocks.\1."),)

_FROM_TORCHVISION: _Renames = (
    (r"^class_token$", "cls_token"),
    (r"^encoder\.pos_embedding$", "pos_embed"),
    (r"^conv_proj\.", "patch_embed.proj."),
    (r"^encoder\.layers\.encoder_layer_(\d+)\.", r"blocks.\1."),
    (r"^encoder\.ln\.", "norm."),
    (r"\.ln_([12])\.", r".norm\1."),
    (r"\.self_attention\.in_proj_", ".attn.qkv."),
    (r"\.self_attention\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.(?:0|linear_1)\.", ".mlp.fc1."),
    (r"\.mlp\.(?:3|linear_2)\.", ".mlp.fc2."),
)

_TO_TORCHVISION: _Renames = (
    (r"^cls_token$", "class_token"),
    (r"^pos_embed$", "encoder.pos_embedding"),
    (r"^patch_embed\.proj\.", "conv_proj."),
    (r"^blocks\.(\d+)\.", r"encoder.layers.encoder_layer_\1."),
    (r"^norm\.", "encoder.ln."),
    (r"\.norm([12])\.", r".ln_\1."),
    (r"\.attn\.qkv\.", ".self_attention.in_proj_"),
    (r"\.attn\.proj\.", ".self_attention.out_proj."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
)

#: The names of Hugging Face's ViTModel, Dinov2Model, Dinov2WithRegistersModel and DINOv3ViTModel.
_FROM_HUGGING_FACE: _Renames = (
    (r"^embeddings\.patch_embeddings\.(?:projection\.)?", "patch_embed.proj."),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.", ""),
    (r"^(?:encoder\.|model\.)?layer\.(\d+)\.", r"blocks.\1."),
    (r"^layernorm\.", "norm."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.output\.dense\.|\.attention\.o_proj\.", ".attn.proj."),
    (r"\.attention\.attention\.([qkv])[a-z]*\.|\.attention\.([qkv])_proj\.", r".attn.\1\2."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
    (r"\.mlp\.weights_in\.", ".mlp.w12."),
    (r"\.mlp\.weights_out\.", ".mlp.w3."),
)

#: The names of DINOv3's feed-forward layers at Hugging Face, with a gate (SwiGLU) and without.
_FROM_GATED: _Renames = ((r"\.gate_proj\.", ".w1."), (r"\.up_proj\.", ".w2."), (r"\.down_proj\.", ".w3."))
_FROM_PLAIN: _Renames = ((r"\.up_proj\.", ".fc1."), (r"\.down_proj\.", ".fc2."))


def _from_hugging_face(state: StateDict) -> StateDict:
    """Convert the names of Hugging Face's ViTs to those of the authors, and fuse queries, keys and values."""
    is_gated = any(".mlp.gate_proj." in name for name in state)
    renamed = _rename(state, _FROM_HUGGING_FACE + (_FROM_GATED if is_gated else _FROM_PLAIN))
    if "register_tokens" in renamed and "pos_embed" not in renamed:  # DINOv3
        renamed["storage_tokens"] = renamed.pop("register_tokens")
    for query in [name for name in renamed if name.endswith(".attn.q.weight")]:
        _fuse_attention(renamed, query.removesuffix("q.weight"))
    return renamed


def _to_torchvision(state: StateDict, convert: Callable[[StateDict], StateDict]) -> StateDict:
    """Convert a state dict to the names of timm, and these to the names of torchvision."""
    return _rename(convert(state), _TO_TORCHVISION)


def _fuse_attention(state: StateDict, layer: str) -> None:
    """Replace the projections to queries, keys and values of a layer by one. A missing bias of keys is zero."""
    state[f"{layer}qkv.weight"] = torch.cat([state.pop(f"{layer}{part}.weight") for part in "qkv"])
    biases = {part: state.pop(f"{layer}{part}.bias") for part in "qkv" if f"{layer}{part}.bias" in state}
    if biases:
        zero = torch.zeros_like(next(iter(biases.values())))
        state[f"{layer}qkv.bias"] = torch.cat([biases.get(part, zero) for part in "qkv"])


def _from_sequence(state: StateDict) -> StateDict:
    """Convert a ResNet with numbered modules, as in `nn.Sequential(*resnet.children())`, to torchvision's names."""
    stages = sorted({int(match[1]) for name in state if (match := re.match(r"(\d+)\.0\.conv1\.", name))})
    renames = [(rf"^{number}\.(?=\d)", f"layer{index}.") for index, number in enumerate(stages, start=1)]
    return _rename(state, (*renames, (r"^0\.", "conv1."), (r"^1\.", "bn1.")))


#: The layouts of Vision Transformers. They are converted to the names of timm.
_VIT_LAYOUTS = (
    Layout("timm's names", "patch_embed.proj.weight", lambda state: _rename(state, _UNCHUNK)),
    Layout("torchvision's names", "conv_proj.weight", lambda state: _rename(state, _FROM_TORCHVISION)),
    Layout("Hugging Face's names", "embeddings.patch_embeddings.projection.weight", _from_hugging_face),
    Layout("Hugging Face's names", "embeddings.patch_embeddings.weight", _from_hugging_face),
)

_RESNET_LAYOUTS = (Layout("numbered modules", "4.0.conv1.weight", _from_sequence),)


def list_layouts(names: Sequence[str]) -> list[Layout]:
    """Return the layouts that a file for a module may have, given the names of the module's tensors in their order."""
    if "conv_proj.weight" in names:
        return [replace(layout, convert=partial(_to_torchvision, convert=layout.convert)) for layout in _VIT_LAYOUTS]
    if "patch_embed.proj.weight" in names and "blocks.0.norm1.weight" in names:
        return list(_VIT_LAYOUTS)
    own = Layout("the model's names", next(name for name in names if name.endswith("weight")), dict)
    return [own, *(_RESNET_LAYOUTS if "layer1.0.conv1.weight" in names else ())]
