"""The decoder of MAE (arXiv 2111.06377)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import sslreg
from sslreg_models.transformer_block import transformer_block


class MAEDecoder(nn.Module):
    """A Vision Transformer from the tokens of some patches to the pixels of all.

    A shared mask token takes the place of each patch without a token. Positions are sine-cosine embeddings, which are
    not learned, so that a grid of any size can be decoded. As in the published code, the weights of linear layers have
    Xavier's uniform distribution, and biases start at zero.

    Args:
        features: D, the width of the encoder's tokens.
        width: The width of the decoder's tokens, a multiple of 4 and of `heads`.
        depth: The number of blocks.
        heads: The number of attention heads of a block.
        pixels: The number of values of a patch.
    """

    def __init__(self, features: int, width: int, depth: int, heads: int, pixels: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(features, width)
        self.mask_token = nn.Parameter(torch.empty(width))
        self.blocks = nn.Sequential(*(transformer_block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.projection = nn.Linear(width, pixels)
        self._initialize()

    def forward(self, prefix: Tensor, patches: Tensor, keep: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return the predicted pixels (N, L, pixels) of all patches.

        Args:
            prefix: the prefix tokens (N, P, D) of the encoder, which have no position.
            patches: the tokens (N, K, D) of the encoded patches.
            keep: int64 (N, K), the numbers of these patches; tokens with -1 are ignored.
            grid: the numbers of rows and columns of patches.
        """
        length = grid[0] * grid[1]
        prefix, patches = self.embedding(prefix), self.embedding(patches)
        # Tokens with -1 go to an additional place, which is cut off.
        places = torch.where(keep < 0, length, keep).unsqueeze(2).expand_as(patches)
        tokens = self.mask_token.to(patches).expand(len(patches), length + 1, -1).scatter(1, places, patches)
        positions = sslreg.sine_cosine_embeddings(grid, patches.shape[2]).to(patches)
        tokens = self.blocks(torch.cat([prefix, tokens[:, :length] + positions], dim=1))
        prediction: Tensor = self.projection(self.norm(tokens[:, prefix.shape[1] :]))
        return prediction

    @torch.no_grad()
    def _initialize(self) -> None:
        nn.init.normal_(self.mask_token, std=0.02)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
