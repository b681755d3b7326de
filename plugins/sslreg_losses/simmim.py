"""The loss of SimMIM (arXiv 2111.09886)."""

from __future__ import annotations

from torch import Tensor

import sslreg
from sslreg_losses._masked_mean import differences, masked_mean


class SimMIMLoss(sslreg.Loss):
    """The mean absolute error of the pixels of masked patches (equation 1)."""

    takes = "patches and mask"

    def forward(self, prediction: Tensor, patches: Tensor, masked: Tensor) -> Tensor:
        """Return the mean over the masked patches of all images.

        Args:
            prediction: the predicted pixels (N, L, P).
            patches: the pixels (N, L, P).
            masked: bool (N, L).

        Raises:
            ValueError: the shapes do not fit together.
        """
        return masked_mean(differences(prediction, patches, masked).abs().mean(dim=2), masked)
