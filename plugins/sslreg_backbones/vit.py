"""A Vision Transformer of any size, for small images and for training on a CPU."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt
from torch import nn
from torchvision.models import VisionTransformer

import sslreg
from sslreg_backbones.patch_encoding import DropPath, Pool
from sslreg_backbones.torchvision_models import set_channels
from sslreg_backbones.torchvision_vit import TorchvisionTokens


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
        pool: The features: the token ``class``, or the ``mean`` of the tokens of patches.
        drop_path: The probability that the last block skips a branch for an image in training. It increases linearly
            from 0 in the first block.

    Raises:
        ValueError: The image size is no multiple of the patch size, or the width none of the number of heads.
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
        pool: Pool = "class",
        drop_path: DropPath = 0.0,
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
        self.add_tokens(pool, drop_path)
