"""The tokens of torchvision's Vision Transformers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.vision_transformer import EncoderBlock, VisionTransformer, interpolate_embeddings
from torchvision.ops import StochasticDepth

import sslreg
from sslreg_backbones.patch_encoding import Pool, find_padding, gather_patches, replace_masked, run_block


class TorchvisionTokens(sslreg.PatchBackbone):
    """A backbone of patches on torchvision's `VisionTransformer`, for images of any multiple of the patch size.

    At the size for which torchvision's module is built, tokens are those that it computes. For other sizes, the
    position embeddings are interpolated.

    Attributes:
        body: torchvision's module.
        pool: The features: the token ``class``, or the ``mean`` of the tokens of patches.
        recomputes: Whether the activations in blocks are computed again for the gradient.
    """

    body: VisionTransformer
    pool: Pool
    has_class_token = True
    recomputes = False

    def require_whole_patches(self, image_size: int) -> None:
        """Refuse an image size that is no multiple of the patch size, before torchvision's module is built."""
        self.grid(torch.empty(1, 1, image_size, image_size, device="meta"))

    def add_tokens(self, pool: Pool, drop_path: float) -> None:
        """Complete a constructor that has set `patch_size` and `body`.

        Args:
            pool: The features.
            drop_path: The probability that the last block skips a branch for an image in training. It increases
                linearly from 0 in the first block.
        """
        self.pool = pool
        self.num_features = self.token_features = self.body.hidden_dim
        if drop_path:
            for number, block in enumerate(self._blocks()):
                _add_drop_path(block, drop_path * number / max(len(self.body.encoder.layers) - 1, 1))

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Interpolate the position embeddings in a state dict to the grid of the module, as torchvision does.

        Raises:
            ValueError: The file has no class token, or its grid is not square.
        """
        return dict(interpolate_embeddings(self.body.image_size, self.patch_size, state))

    def tokens(
        self,
        images: Tensor,
        *,
        keep: Tensor | None = None,
        mask: Tensor | None = None,
        mask_token: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        tokens = self._embed_patches(images, keep, mask, mask_token)
        padding = find_padding(keep, 1)
        for block in self._blocks():
            tokens = run_block(_apply_block, block, tokens, padding, recompute=self.recomputes)
        tokens = self.body.encoder.ln(tokens)
        return tokens[:, :1], tokens[:, 1:]

    def pool_tokens(self, prefix: Tensor, patches: Tensor) -> Tensor:
        return prefix[:, 0] if self.pool == "class" else patches.mean(dim=1)

    def class_attention(self, images: Tensor) -> Tensor:
        tokens = self._embed_patches(images)
        *blocks, last = self._blocks()
        for block in blocks:
            tokens = _apply_block(block, tokens, None)
        tokens = last.ln_1(tokens)
        attention: Tensor = last.self_attention(tokens[:, :1], tokens, tokens, average_attn_weights=False)[1]
        return attention[:, :, 0, 1:].reshape(*attention.shape[:2], *self.grid(images))

    def parameters_by_depth(self) -> list[list[nn.Parameter]]:
        body = self.body
        embeddings = [body.class_token, body.encoder.pos_embedding, *body.conv_proj.parameters()]
        return [embeddings, *(list(part.parameters()) for part in (*self._blocks(), body.encoder.ln))]

    def enable_gradient_checkpointing(self) -> None:
        self.recomputes = True

    def _blocks(self) -> list[EncoderBlock]:
        return list(self.body.encoder.layers)

    def _trained_grid(self) -> tuple[int, int]:
        """Return the rows and columns of patches that have position embeddings of their own."""
        side = self.body.image_size // self.patch_size
        return side, side

    def _embed_patches(
        self,
        images: Tensor,
        keep: Tensor | None = None,
        mask: Tensor | None = None,
        mask_token: Tensor | None = None,
    ) -> Tensor:
        """Return the input (N, 1 + K, D) of the first block."""
        positions = self._position_embeddings(self.grid(images))
        patches = self.body.conv_proj(images).flatten(2).transpose(1, 2)
        patches = replace_masked(patches, mask, mask_token) + positions[:, 1:]
        class_token = (self.body.class_token + positions[:, :1]).expand(images.shape[0], -1, -1)
        tokens: Tensor = self.body.encoder.dropout(torch.cat([class_token, gather_patches(patches, keep)], dim=1))
        return tokens

    def _position_embeddings(self, grid: tuple[int, int]) -> Tensor:
        """Return the position embeddings (1, 1 + L, D), interpolated like torchvision's weights of other sizes."""
        embeddings: Tensor = self.body.encoder.pos_embedding
        trained_grid = self._trained_grid()
        if grid == trained_grid:
            return embeddings
        square = embeddings[:, 1:].reshape(1, *trained_grid, -1).permute(0, 3, 1, 2)
        resized = nn.functional.interpolate(square, size=grid, mode="bicubic", align_corners=True)
        return torch.cat([embeddings[:, :1], resized.flatten(2).transpose(1, 2)], dim=1)


def _apply_block(block: EncoderBlock, tokens: Tensor, padding: Tensor | None) -> Tensor:
    """Return the output (N, T, D) of a block, in which no token attends to padding (N, T)."""
    normed = block.ln_1(tokens)
    attended, _ = block.self_attention(normed, normed, normed, key_padding_mask=padding, need_weights=False)
    tokens = tokens + block.dropout(attended)
    output: Tensor = tokens + block.mlp(block.ln_2(tokens))
    return output


def _add_drop_path(block: EncoderBlock, probability: float) -> None:
    """Let a block skip its branches for an image with this probability. The names of its parameters stay."""
    block.dropout = StochasticDepth(probability, "row")
    block.mlp.append(StochasticDepth(probability, "row"))
