"""Steps that all Vision Transformers share: masking, dropping and padding patches, and running blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.utils.checkpoint import checkpoint

#: The features of a Vision Transformer: the class token, or the mean of the tokens of patches.
Pool = Literal["class", "mean"]

#: The probability with which the last block skips a branch.
DropPath = Annotated[float, Field(ge=0, lt=1)]


def replace_masked(patches: Tensor, mask: Tensor | None, mask_token: Tensor | None) -> Tensor:
    """Return patches (N, L, D) in which the mask token (D,) replaces those where the mask (N, L) is true.

    Raises:
        ValueError: Only one of `mask` and `mask_token` is given.
    """
    if mask is None and mask_token is None:
        return patches
    if mask is None or mask_token is None:
        raise ValueError("tokens(images, mask=..., mask_token=...) needs both or neither of the two")
    return torch.where(mask.unsqueeze(-1), mask_token.to(patches.dtype), patches)


def gather_patches(patches: Tensor, keep: Tensor | None) -> Tensor:
    """Return the patches (N, K, D) of (N, L, D) that `keep` (N, K) numbers; all if it is None. -1 gets any patch."""
    if keep is None:
        return patches
    return patches.gather(1, keep.clamp(min=0).unsqueeze(-1).expand(-1, -1, patches.shape[-1]))


def find_padding(keep: Tensor | None, prefix_tokens: int) -> Tensor | None:
    """Return which tokens (N, P + K) are padding; None if it is known that no token is.

    Args:
        keep: The numbers of the kept patches (N, K), where -1 is padding.
        prefix_tokens: P, the number of tokens before those of patches.
    """
    # A compiled graph cannot depend on values, nor can shapes without memory.
    has_values = keep is not None and not (keep.is_meta or torch.compiler.is_compiling())
    if keep is None or (has_values and not bool((keep < 0).any())):
        return None
    return torch.nn.functional.pad(keep < 0, (prefix_tokens, 0), value=False)


def run_block(block: Callable[..., Tensor], *inputs: Any, recompute: bool, **options: Any) -> Tensor:
    """Return the output of a block.

    Args:
        block: The block.
        inputs: Its positional arguments.
        recompute: Compute the activations in the block again for the gradient, instead of storing them.
        options: Its keyword arguments.
    """
    if recompute and torch.is_grad_enabled():
        output: Tensor = checkpoint(block, *inputs, use_reentrant=False, **options)
        return output
    return block(*inputs, **options)
