"""The cosine similarity of predictions and targets, which the losses of BYOL, SimSiam and distillation share."""

from __future__ import annotations

from torch import Tensor

from sslreg_losses._autocast_and_compile import disable_autocast
from sslreg_losses._normalization import normalize_rows


def mean_cosine_similarity(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean cosine similarity of the rows of predictions and targets (…, D). Targets get no gradient.

    Raises:
        ValueError: The two differ in shape.
        SslregError: A value is not finite.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"predictions {tuple(prediction.shape)} and targets {tuple(target.shape)} differ in shape")
    prediction, target = normalize_rows(prediction), normalize_rows(target.detach())
    with disable_autocast(prediction):
        return (prediction * target).sum(dim=-1).mean()
