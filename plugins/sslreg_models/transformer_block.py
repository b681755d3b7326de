"""The blocks of decoders and predictors, and the widths that they take."""

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


def require_width(part: str, width: int, heads: int) -> None:
    """Check the width of a decoder or predictor with fixed position embeddings.

    Args:
        part: The part, whose parameters are ``PART_width`` and ``PART_heads``.
        width: The width of tokens.
        heads: The number of attention heads.

    Raises:
        ValueError: The width is not a multiple of 4 and of the number of heads.
    """
    for name, divisor in (("4", 4), (f"{part}_heads, {heads}", heads)):
        if width % divisor:
            raise ValueError(f"{part}_width is {width}; it should be a multiple of {name}")
