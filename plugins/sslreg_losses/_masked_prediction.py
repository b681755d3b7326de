"""The cross-entropy of masked patches, as in iBOT and DINOv2."""

from __future__ import annotations

from torch import Tensor


def masked_cross_entropy(targets: Tensor, log_predictions: Tensor, masks: Tensor) -> Tensor:
    """Return the mean over images of the mean cross-entropy over the masked patches of an image.

    An image without masked patches counts as zero (main_ibot.py of the authors of iBOT).

    Args:
        targets: Probabilities (R, K) of the masked patches, in the order of `masks`.
        log_predictions: Logarithms of the predicted probabilities (R, K).
        masks: The masked patches of each view and image, bool (V, N, L). The number of true values is R.
    """
    counts = masks.sum(dim=-1, keepdim=True).expand_as(masks)[masks]
    cross_entropy = -(targets * log_predictions).sum(dim=1)
    return (cross_entropy / counts.to(cross_entropy)).sum() / masks[..., 0].numel()
