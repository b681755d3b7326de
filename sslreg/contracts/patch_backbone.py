"""The contract of a backbone of patches, such as a Vision Transformer."""

from __future__ import annotations

from torch import Tensor

from sslreg.contracts.backbone import Backbone


class PatchBackbone(Backbone):
    """Base class of backbones that divide an image into patches and return a token for each.

    It takes images of any size that is a multiple of the patch size, and several sizes in one step. Its features are
    `pool_tokens` of its `tokens`. A slot with this annotation refuses other backbones.

    Attributes:
        patch_size: the side of a patch in pixels.
        token_features: D, the width of a token. `num_features`, the width after pooling, may differ.
        has_class_token: whether the first prefix token is a class token. Others are registers.
    """

    compiled_methods = ("tokens",)

    patch_size: int
    token_features: int
    has_class_token: bool

    def grid(self, images: Tensor) -> tuple[int, int]:
        """Return the numbers of rows and columns of patches in images (N, C, H, W).

        Raises:
            ValueError: H or W is not a multiple of the patch size.
        """
        height, width = images.shape[-2:]
        if height % self.patch_size or width % self.patch_size:
            larger = (max(height, width) // self.patch_size + 1) * self.patch_size
            raise ValueError(
                f"images of {height}x{width} pixels do not divide into patches of {self.patch_size}x{self.patch_size}; "
                f"let the views resize or crop to a multiple of {self.patch_size}, such as {larger}"
            )
        return height // self.patch_size, width // self.patch_size

    def tokens(
        self,
        images: Tensor,
        *,
        keep: Tensor | None = None,
        mask: Tensor | None = None,
        mask_token: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the tokens of images after the last norm: prefix tokens (N, P, D) and those of patches (N, L, D).

        Patches are numbered row by row. The position of a dropped or masked patch in the image stays its own.

        Args:
            images: (N, C, H, W).
            keep: int64 (N, K), the patches of each image to encode, in ascending order; the others are dropped before
                the first block, at no cost. The result has these K patches only. -1 fills up the rows of images with
                fewer patches; nothing attends to it, and its tokens mean nothing. See `sslreg.patch_indices`.
            mask: bool (N, L). The mask token replaces the patches where it is true, before position embeddings.
            mask_token: (D,), given with `mask`. It belongs to the model, and its gradient is zero for an empty mask.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement tokens(images, *, keep, mask, mask_token)")

    def pool_tokens(self, prefix: Tensor, patches: Tensor) -> Tensor:
        """Return the features (N, num_features) of images from their tokens.

        By default, the features are the class token. Without one, they are the mean of patches.

        Args:
            prefix: (N, P, D), as `tokens` returns them.
            patches: (N, L, D), as `tokens` returns them.
        """
        return prefix[:, 0] if self.has_class_token else patches.mean(dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the features (N, num_features) of images (N, C, H, W)."""
        return self.pool_tokens(*self.tokens(images))

    def features_and_patches(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features (N, num_features) of images (N, C, H, W) and those of patches (N, rows, columns, D)."""
        (rows, columns), (prefix, patches) = self.grid(images), self.tokens(images)
        return self.pool_tokens(prefix, patches), patches.reshape(-1, rows, columns, patches.shape[-1])

    def patches(self, images: Tensor) -> Tensor:
        """Return the features (N, rows, columns, D) of the patches of images (N, C, H, W)."""
        return self.features_and_patches(images)[1]

    def class_attention(self, images: Tensor) -> Tensor:
        """Return the attention of the class token to the patches, in the last block: (N, heads, rows, columns).

        The values of a head sum to at most 1; the rest is attention to prefix tokens.

        Raises:
            ValueError: the backbone has no class token, or does not tell its attention.
        """
        raise ValueError(f"{type(self).__name__} does not tell the attention of a class token")
