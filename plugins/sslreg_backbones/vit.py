"""A Vision Transformer of any size, for small images and for training on a CPU."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torchvision.models import VisionTransformer

import sslreg
from sslreg_backbones.patch_encoding import DropPath, Pool
from sslreg_backbones.torchvision_models import set_channels
from sslreg_backbones.torchvision_vit import TorchvisionTokens
from sslreg_backbones.weight_sources import open_weights
from sslreg_backbones.weights import load_weights

#: The name of the position embeddings.
_POSITIONS = "encoder.pos_embedding"

#: How much fixed position embeddings in a file, possibly in half precision, may differ from exact ones.
_FIXED_TOLERANCE = 1e-2


class ViT(TorchvisionTokens):
    """A Vision Transformer of any size, on torchvision's `VisionTransformer`. It divides images into patches.

    By default, it is small enough for images of 16x16 pixels on a CPU.

    Args:
        image_size: The side of the images whose position embeddings are learned. For other sizes, a multiple of the
            patch size, they are interpolated.
        patch_size: The side of a patch in pixels.
        width: The width of a token, a multiple of `heads`.
        depth: The number of blocks.
        heads: The number of attention heads of a block.
        mlp_ratio: The width of the hidden layers, as a multiple of `width`.
        positions: The position embeddings: ``learned``, or fixed ones of ``sine_cosine``, as in the encoders of MAE and
            I-JEPA. Fixed ones need a width that is a multiple of 4, and fewer steps of training.
        pool: The features: the token ``class``, or the ``mean`` of the tokens of patches.
        drop_path: The probability that the last block skips a branch for an image in training. It increases linearly
            from 0 in the first block.
        weights: The initial weights: a file, the folder of a run, or a name on the Hugging Face hub
            (``hf-hub:ORG/NAME``, ``timm/NAME``). Files may have the names of torchvision, of timm, of DINO, MAE or MoCo
            v3, or of Hugging Face. The first filters are adapted to the number of channels, and the position embeddings
            to the grid.
        frozen_stages: The number of first blocks that are not trained, and neither are the embeddings then.

    Raises:
        ValueError: The image size is no multiple of the patch size, the width none of the number of heads, the weights
            are missing or do not fit, or there are fewer blocks.
    """

    def __init__(
        self,
        in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3,
        image_size: Annotated[int, sslreg.FromRun("image_size")] = 224,
        patch_size: PositiveInt = 4,
        width: PositiveInt = 64,
        depth: PositiveInt = 4,
        heads: PositiveInt = 4,
        mlp_ratio: Annotated[float, Field(gt=0)] = 4.0,
        positions: Literal["learned", "sine_cosine"] = "learned",
        pool: Pool = "class",
        drop_path: DropPath = 0.0,
        weights: str | None = None,
        frozen_stages: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.require_whole_patches(image_size)
        if width % heads:
            raise ValueError(f"width is {width}, but should be a multiple of heads, {heads}")
        self.arguments = {
            "image_size": image_size,
            "patch_size": patch_size,
            "num_layers": depth,
            "num_heads": heads,
            "hidden_dim": width,
            "mlp_dim": round(width * mlp_ratio),
        }
        self.body = VisionTransformer(**self.arguments)
        self.body.heads = nn.Identity()
        set_channels(self.body, in_channels)
        self.fixes_positions = positions == "sine_cosine"
        if self.fixes_positions:
            embeddings = self.body.encoder.pos_embedding.requires_grad_(False)
            embeddings.copy_(self._fixed_positions(self._trained_grid()))
        self.add_tokens(pool, drop_path)
        if weights is not None:
            file = open_weights(weights, "sslreg", [])
            self.loaded_weights = load_weights(self.body, file, heads=["heads"], adapt=self.adapt_weights)
        self.freeze_stages(frozen_stages)

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Interpolate learned position embeddings in a state dict. Replace fixed ones by those of the module.

        Raises:
            ValueError: The file has no class token, its grid is not square, or its embeddings are not the fixed ones.
        """
        if not self.fixes_positions:
            return super().adapt_weights(state)
        embeddings, own = state[_POSITIONS], self.body.encoder.pos_embedding
        side = math.isqrt(embeddings.shape[1] - 1)
        expected = self._fixed_positions((side, side)).to(embeddings)
        if embeddings.shape != expected.shape or not torch.allclose(embeddings, expected, atol=_FIXED_TOLERANCE):
            raise ValueError(
                "the position embeddings of these weights are not the fixed ones of positions: sine_cosine; use "
                "positions: learned"
            )
        return {**state, _POSITIONS: own}

    def _position_embeddings(self, grid: tuple[int, int]) -> Tensor:
        if self.fixes_positions and grid != self._trained_grid():
            return self._fixed_positions(grid).to(self.body.encoder.pos_embedding)
        return super()._position_embeddings(grid)

    def _fixed_positions(self, grid: tuple[int, int]) -> Tensor:
        """Return the embeddings (1, 1 + L, D) of sines and cosines in float64; that of the class token is 0."""
        patches = sslreg.sine_cosine_embeddings(grid, self.body.hidden_dim)
        return nn.functional.pad(patches, (0, 0, 1, 0)).unsqueeze(0)
