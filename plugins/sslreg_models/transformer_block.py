"""The block of decoders and predictors."""

from __future__ import annotations

from torch import nn


def transformer_block(width: int, heads: int) -> nn.TransformerEncoderLayer:
    """Return a block of a Vision Transformer (arXiv 2010.11929): norms come first, and there is no dropout.

    Args:
        width: The width of tokens, a multiple of `heads`.
        heads: The number of attention heads.
    """
    return nn.TransformerEncoderLayer(
        width,
        heads,
        dim_feedforward=4 * width,
        dropout=0,
        activation="gelu",
        layer_norm_eps=1e-6,
        batch_first=True,
        norm_first=True,
    )
