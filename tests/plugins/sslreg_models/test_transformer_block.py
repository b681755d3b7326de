"""A block against timm's."""

from __future__ import annotations

import torch
from timm.models.vision_transformer import Block

from sslreg_models.transformer_block import transformer_block


def test_it_is_a_block_of_a_vision_transformer() -> None:
    ours = transformer_block(12, 3).double()
    theirs = Block(12, 3, qkv_bias=True).double()
    for module in theirs.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-6
    theirs.load_state_dict(dict(zip(theirs.state_dict(), order(ours.state_dict()), strict=True)))
    tokens = torch.randn(2, 5, 12, dtype=torch.float64)
    torch.testing.assert_close(ours(tokens), theirs(tokens))


def order(state: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Return the weights in the order of timm's."""
    parts = ("norm1", "self_attn.in_proj_", "self_attn.out_proj", "norm2", "linear1", "linear2")
    return [value for part in parts for name, value in state.items() if name.startswith(part)]
