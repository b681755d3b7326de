"""The tokens of timm's Vision Transformers, of which `VisionTransformer` and `Eva` are the classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

import sslreg
from sslreg_backbones.patch_encoding import Pool, find_padding, gather_patches, replace_masked, run_block

#: The modules of timm that define Vision Transformers with tokens.
_MODULES = ("timm.models.vision_transformer", "timm.models.deit", "timm.models.eva")

#: timm's names of poolings.
_POOLINGS = {"class": "token", "mean": "avg"}


def is_vision_transformer(timm: Any, name: str) -> bool:
    """Return whether timm's model of this name is a Vision Transformer that `TimmTokens` describes."""
    return bool(timm.is_model(name)) and timm.model_entrypoint(name).__module__ in _MODULES


def vision_transformer_arguments(
    timm: Any, name: str, image_size: int, patch_size: int | None, registers: int | None, pool: Pool | None
) -> dict[str, Any]:
    """Return the arguments with which timm builds a Vision Transformer for all multiples of its patch size.

    An argument that is None has timm's default for this model. The last norm comes before a pooling that is given.
    """
    is_eva = timm.model_entrypoint(name).__module__ == "timm.models.eva"
    arguments: dict[str, Any] = {"img_size": image_size, "dynamic_img_size": True}
    if patch_size is not None:
        arguments["patch_size"] = patch_size
    if registers is not None:
        arguments["num_reg_tokens" if is_eva else "reg_tokens"] = registers
    if pool is not None:
        arguments["global_pool"] = _POOLINGS[pool]
        arguments["use_fc_norm" if is_eva else "fc_norm"] = False
    return arguments


class TimmTokens(sslreg.PatchBackbone):
    """A backbone of patches on timm's `VisionTransformer` or `Eva`, for images of any multiple of the patch size.

    Features are those of timm's module with ``dynamic_img_size``. Tokens are the output of its `forward_features`: if
    it pools before its last norm, they come before that norm too.

    Attributes:
        body: timm's module.
        recomputes: Whether the activations in blocks are computed again for the gradient.
    """

    body: Any
    recomputes = False

    def add_tokens(self) -> None:
        """Complete a constructor that has set `body`."""
        self.patch_size = self.body.patch_embed.patch_size[0]
        self.token_features = self.body.embed_dim
        self.has_class_token = self.body.cls_token is not None

    def tokens(
        self,
        images: Tensor,
        *,
        keep: Tensor | None = None,
        mask: Tensor | None = None,
        mask_token: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        return self._split(self._encode(images, keep, mask, mask_token))

    def pool_tokens(self, prefix: Tensor, patches: Tensor) -> Tensor:
        features: Tensor = self.body.forward_head(torch.cat([prefix, patches], dim=1))
        return features

    def class_attention(self, images: Tensor) -> Tensor:
        if not self.has_class_token:
            return super().class_attention(images)
        with _record_attention(self.body.blocks[-1]) as recorded:
            self._encode(images)
        attention = torch.cat(recorded, dim=1)[:, :, 0, self.body.num_prefix_tokens :]
        return attention.reshape(*attention.shape[:2], *self.grid(images))

    def parameters_by_depth(self) -> list[list[nn.Parameter]]:
        body = self.body
        after = [module for module in (body.norm, body.attn_pool, body.fc_norm) if module is not None]
        depths = [list(part.parameters()) for part in (*body.blocks, nn.ModuleList(after))]
        deeper = {id(parameter) for depth in depths for parameter in depth}
        return [[parameter for parameter in body.parameters() if id(parameter) not in deeper], *depths]

    def enable_gradient_checkpointing(self) -> None:
        self.recomputes = True

    def _split(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return tokens[:, : self.body.num_prefix_tokens], tokens[:, self.body.num_prefix_tokens :]

    def _encode(
        self,
        images: Tensor,
        keep: Tensor | None = None,
        mask: Tensor | None = None,
        mask_token: Tensor | None = None,
    ) -> Tensor:
        """Return prefix tokens and those of patches (N, P + K, D)."""
        rows, columns = self.grid(images)
        patches: Tensor = self.body.patch_embed(images).flatten(1, 2)
        patches = replace_masked(patches, mask, mask_token).reshape(images.shape[0], rows, columns, -1)
        # timm's Eva returns rotations in addition.
        positioned = self.body._pos_embed(patches)
        tokens, rotations = positioned if isinstance(positioned, tuple) else (positioned, None)
        prefix, patches = self._split(tokens)
        tokens = self.body.norm_pre(torch.cat([prefix, gather_patches(patches, keep)], dim=1))
        padding = find_padding(keep, self.body.num_prefix_tokens)
        attended = None if padding is None else ~padding[:, None, None]
        for block, options in zip(self.body.blocks, self._block_options(rotations, keep), strict=True):
            tokens = run_block(block, tokens, recompute=self.recomputes, attn_mask=attended, **options)
        encoded: Tensor = self.body.norm(tokens)
        return encoded

    def _block_options(self, rotations: Tensor | None, keep: Tensor | None) -> list[dict[str, Tensor]]:
        """Return the arguments of each block for rotary position embeddings.

        Args:
            rotations: (L, R), or one for each block and head (blocks, heads, L, R); None without rotary embeddings.
            keep: The numbers of the kept patches (N, K).
        """
        count = len(self.body.blocks)
        if rotations is None:
            return [{}] * count
        if keep is not None:
            rotations = _gather_rotations(rotations, keep)
        return [{"rope": each} for each in (rotations if self.body.rope_mixed else [rotations] * count)]


def prepare_state_dict(body: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict that timm can convert for a Vision Transformer.

    Args:
        body: timm's module.
        state: A state dict with the names of timm, DINOv2 or DINOv3.

    Raises:
        ValueError: The file has biases that the module lacks.
    """
    if "storage_tokens" in state and getattr(body.blocks[0].attn, "q_bias", None) is None:
        state = _drop_zero_biases(state)
    elif "register_tokens" in state or "blocks.0.mlp.w12.weight" in state:
        state = {**state, "mask_token": torch.zeros(0)}  # by which timm recognizes DINOv2
    has_positions = body.reg_token is not None and not body.no_embed_class and "pos_embed" in state
    if has_positions and not {"reg_token", "register_tokens"} & state.keys():
        return {**state, "pos_embed": _add_register_positions(state["pos_embed"], body.reg_token.shape[1])}
    return state


def _drop_zero_biases(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict of DINOv3 without biases of queries, keys and values, which have to be zero."""
    biases = [name for name in state if name.endswith("attn.qkv.bias")]
    if any(bool(state[name].any()) for name in biases):
        raise ValueError(
            f"the weights have biases of queries and values, such as {biases[0]}, but this model has none; use timm's "
            "model of the same name with _qkvb"
        )
    return {name: tensor for name, tensor in state.items() if name not in biases}


def _add_register_positions(positions: Tensor, registers: int) -> Tensor:
    """Return position embeddings (1, 1 + L, D) with zeros for registers after the class token."""
    zeros = positions.new_zeros(1, registers, positions.shape[-1])
    return torch.cat([positions[:, :1], zeros, positions[:, 1:]], dim=1)


def _gather_rotations(rotations: Tensor, keep: Tensor) -> Tensor:
    """Return the rotations of the kept patches.

    Args:
        rotations: (L, R) or (blocks, heads, L, R).
        keep: (N, K).

    Returns:
        (N, 1, K, R) or (blocks, N, heads, K, R).
    """
    selected = rotations[..., keep.clamp(min=0), :]
    return selected.unsqueeze(1) if rotations.dim() == 2 else selected.transpose(1, 2)


@contextmanager
def _record_attention(block: nn.Module) -> Iterator[list[Tensor]]:
    """Record the attention (N, heads, T, T) of each attention layer of a block, in timm's form that is not fused."""
    layers: Sequence[Any] = [layer for layer in block.modules() if hasattr(layer, "fused_attn")]
    recorded: list[Tensor] = []
    fused = [layer.fused_attn for layer in layers]
    hooks = [
        layer.attn_drop.register_forward_pre_hook(lambda _, inputs: recorded.append(inputs[0])) for layer in layers
    ]
    try:
        for layer in layers:
            layer.fused_attn = False
        yield recorded
    finally:
        for layer, was_fused, hook in zip(layers, fused, hooks, strict=True):
            layer.fused_attn = was_fused
            hook.remove()
