"""The mean error of masked patches, which the losses of MAE, SimMIM and I-JEPA share."""

from __future__ import annotations

import torch
from torch import Tensor

from sslreg import distributed


def differences(prediction: Tensor, patches: Tensor, masked: Tensor) -> Tensor:
    """Return the differences (N, …, L, P) of predictions and patches, in float32 or float64.

    Raises:
        ValueError: predictions and patches (N, …, L, P) and the mask (N, …, L) do not fit together.
    """
    if prediction.shape != patches.shape or masked.shape != patches.shape[:-1]:
        shapes = [tuple(tensor.shape) for tensor in (prediction, patches, masked)]
        raise ValueError(f"predictions {shapes[0]}, patches {shapes[1]} and the mask {shapes[2]} do not fit together")
    return prediction.to(torch.promote_types(prediction.dtype, torch.float32)) - patches


def masked_mean(errors: Tensor, masked: Tensor) -> Tensor:
    """Return the mean of the errors (N, …, L) of masked patches over the batch of all processes; 0 if there are none.

    The average over processes equals the result of one process with the whole batch, also if the processes have
    different numbers of masked patches.

    Args:
        errors: the errors of all patches.
        masked: bool (N, …, L).
    """
    count = distributed.mean(masked.sum().to(errors.dtype))
    return errors.masked_fill(~masked, 0).sum() / count.clamp(min=torch.finfo(errors.dtype).tiny)
