"""Batches for the comparison of methods with other modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightly.models.modules.masked_vision_transformer_decoder_timm import MaskedVisionTransformerDecoderTIMM

import sslreg
from sslreg_models.mae_decoder import MAEDecoder

#: The names of the parameters of a block of torch and of timm.
NAMES = {
    "self_attn.in_proj_": "attn.qkv.",
    "self_attn.out_proj": "attn.proj",
    "linear1": "mlp.fc1",
    "linear2": "mlp.fc2",
}


@pytest.fixture
def make_batch() -> Callable[[int], sslreg.Batch]:
    """Make a batch of two views of eight gray images (8, 8) in float64 from a seed."""

    def make(seed: int) -> sslreg.Batch:
        generator = torch.Generator().manual_seed(seed)
        views = [torch.rand(8, 1, 8, 8, generator=generator, dtype=torch.float64) for _ in range(2)]
        return sslreg.Batch(views, None, torch.arange(8))

    return make


@pytest.fixture
def copy_to_lightly() -> Callable[[MAEDecoder, int], MaskedVisionTransformerDecoderTIMM]:
    """Make lightly's decoder for a number of patches, with the weights of ours, in float64."""

    def copy(ours: MAEDecoder, patches: int) -> MaskedVisionTransformerDecoderTIMM:
        heads = ours.blocks[0].self_attn.num_heads
        theirs = MaskedVisionTransformerDecoderTIMM(patches, len(ours.mask_token), len(ours.blocks), heads)
        state: dict[str, Any] = {"mask_token": ours.mask_token.view(1, 1, -1), "pos_embed": theirs.pos_embed}
        for part in ("blocks", "norm"):
            for name, value in getattr(ours, part).state_dict().items():
                for torch_name, timm_name in NAMES.items():
                    name = name.replace(torch_name, timm_name)
                state[f"{part}.{name}"] = value
        theirs.load_state_dict(state)
        return theirs.double()

    return copy
