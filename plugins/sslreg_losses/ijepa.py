"""The loss of I-JEPA (arXiv 2301.08243)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

import sslreg
from sslreg_losses._masked_mean import differences, masked_mean


class IJEPALoss(sslreg.Loss):
    """The distance of predicted tokens from those of the teacher (section 3).

    It is the mean over all values of the target patches in the batch of all processes, as in the published code. There,
    all target blocks of a batch have one size; here, each patch counts the same, whatever the size of its block.

    Args:
        distance: ``smooth_l1``, as in the published code, or ``squared``, as in the paper.
    """

    takes = "target blocks"

    def __init__(self, distance: Literal["smooth_l1", "squared"] = "smooth_l1") -> None:
        super().__init__()
        self.distance = distance

    def forward(self, prediction: Tensor, target: Tensor, is_target: Tensor) -> Tensor:
        """Return the mean over the target patches of all images.

        Args:
            prediction: the predicted tokens (N, M, T, D) of M target blocks of at most T patches.
            target: the tokens (N, M, T, D) of the teacher, which get no gradient.
            is_target: bool (N, M, T), false for patches that fill up smaller blocks.

        Raises:
            ValueError: the shapes do not fit together.
        """
        errors = differences(prediction, target.detach(), is_target)
        if self.distance == "smooth_l1":
            errors = smooth_l1_loss(errors, torch.zeros_like(errors), reduction="none")
        else:
            errors = errors.square()
        return masked_mean(errors.mean(dim=-1), is_target)
