"""The predictor of I-JEPA (arXiv 2301.08243, appendix A.1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sslreg_models.transformer_block import transformer_block


class IJEPAPredictor(nn.Module):
    """A narrow Vision Transformer from the tokens of a context to the tokens of target blocks, each on its own.

    A target patch enters as the mask token with the position embedding of the patch. As in the published code, weights
    are drawn from a truncated normal distribution, and the later a block, the smaller are the weights of its outputs.

    Args:
        features: D, the width of tokens of the backbone.
        width: W, the width of tokens within the predictor, a multiple of `heads`.
        depth: The number of blocks.
        heads: The number of attention heads of a block.
    """

    def __init__(self, features: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(features, width)
        self.mask_token = nn.Parameter(torch.zeros(width))
        self.blocks = nn.ModuleList(transformer_block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.projection = nn.Linear(width, features)
        self._initialize()

    def forward(self, context: Tensor, positions: Tensor, target_positions: Tensor, padding: Tensor | None) -> Tensor:
        """Return the predicted tokens (N, M, T, D) of M target blocks of T patches.

        Args:
            context: The tokens (N, K, D) of the context.
            positions: The position embeddings (N, K, W) of the context.
            target_positions: The position embeddings (N, M, T, W) of the target blocks.
            padding: bool (N, M, K + T), the patches of the context and then of a target block that fill up a row;
                nothing attends to them.
        """
        count, kept = target_positions.shape[1], context.shape[1]
        context = (self.embedding(context) + positions).unsqueeze(1).expand(-1, count, -1, -1)
        queries = (self.mask_token + target_positions).to(context)
        tokens = torch.cat([context, queries], dim=2).flatten(0, 1)
        hidden = None if padding is None else padding.flatten(0, 1)
        for block in self.blocks:
            tokens = block(tokens, src_key_padding_mask=hidden)
        predicted: Tensor = self.projection(self.norm(tokens[:, kept:]))
        return predicted.reshape(-1, count, *predicted.shape[1:])

    @torch.no_grad()
    def _initialize(self) -> None:
        for name, parameter in self.named_parameters():
            if name == "mask_token" or parameter.ndim > 1:
                nn.init.trunc_normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        for number, block in enumerate(self.blocks, start=1):
            assert isinstance(block, nn.TransformerEncoderLayer)
            for layer in (block.self_attn.out_proj, block.linear2):
                layer.weight.div_(math.sqrt(2 * number))
