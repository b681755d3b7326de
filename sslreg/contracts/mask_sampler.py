"""The contract of a mask sampler: which patches of an image a method sees, and which it predicts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Keys
from sslreg.contracts.component import Component


@dataclass(frozen=True)
class Masks:
    """The masks of N images of L patches, which are numbered row by row.

    Each image has a context patch, and none of its context patches is a target. Numbers of patches differ by image.

    Attributes:
        context: bool (N, L), the patches that the method sees.
        targets: bool (N, M, L), M sets of patches to predict. Most samplers return one set: all other patches. In an
            image that is not masked, all patches are context and the sets are empty; in others, no set is.
    """

    context: Tensor
    targets: Tensor


class MaskSampler(Component):
    """Base class of mask samplers. A model takes one in a slot, ``masks: sslreg.MaskSampler``."""

    def sample(self, keys: Keys, grid: tuple[int, int]) -> Masks:
        """Draw masks on the CPU.

        Args:
            keys: one key per image, from `Batch.keys`, so that a mask does not depend on the batch, workers, processes
                or resuming.
            grid: the numbers of rows and columns of patches, from `PatchBackbone.grid`.

        Raises:
            ValueError: the sampler cannot mask a grid of this size.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement sample(keys, grid)")


def patch_indices(selected: Tensor) -> Tensor:
    """Return the numbers of the selected patches, for `PatchBackbone.tokens`.

    Args:
        selected: bool (N, L).

    Returns:
        int64 (N, K), where K is the largest number of patches of an image. Numbers ascend, and -1 fills up rows.
    """
    counts = selected.sum(dim=1, keepdim=True)
    # A stable sort moves the selected patches to the front and keeps their order.
    order = torch.argsort(selected.logical_not().to(torch.uint8), dim=1, stable=True)[:, : int(counts.max())]
    return order.masked_fill(torch.arange(order.shape[1], device=order.device) >= counts, -1)
