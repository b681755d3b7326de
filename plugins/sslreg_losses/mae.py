"""The loss of MAE (arXiv 2111.06377)."""

from __future__ import annotations

import torch
from torch import Tensor

import sslreg
from sslreg_losses._masked_mean import differences, masked_mean

#: Added to the variance of a patch, as in the published code.
_EPSILON = 1e-6


class MAELoss(sslreg.Loss):
    """The mean squared error of the pixels of masked patches (section 3, "Reconstruction target").

    Args:
        norm_pix_loss: Whether the pixels of each patch are normalized by their mean and standard deviation before they
            are compared. This improves the features of the encoder.
    """

    takes = "patches and mask"

    def __init__(self, norm_pix_loss: bool = True) -> None:
        super().__init__()
        self.norm_pix_loss = norm_pix_loss

    def forward(self, prediction: Tensor, patches: Tensor, masked: Tensor) -> Tensor:
        """Return the mean over the masked patches of all images.

        Args:
            prediction: the predicted pixels (N, L, P).
            patches: the pixels (N, L, P).
            masked: bool (N, L).

        Raises:
            ValueError: the shapes do not fit together, or patches of a single value cannot be normalized.
        """
        if self.norm_pix_loss:
            patches = _normalize(patches)
        return masked_mean(differences(prediction, patches, masked).square().mean(dim=2), masked)


def _normalize(patches: Tensor) -> Tensor:
    if patches.shape[-1] < 2:
        raise ValueError("patches of a single value cannot be normalized; set norm_pix_loss: false")
    patches = patches.to(torch.promote_types(patches.dtype, torch.float32))
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return (patches - mean) / (variance + _EPSILON).sqrt()
