"""The pixels of patches, the targets of masked autoencoders."""

from __future__ import annotations

from torch import Tensor


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Return the pixels (N, L, patch_size² C) of the patches of images (N, C, H, W), row by row.

    H and W are multiples of the patch size. The pixels of a patch are also ordered row by row, each with its channels.
    """
    patches = images.unfold(2, patch_size, patch_size).unfold(3, patch_size, patch_size)
    return patches.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)
