"""What a backbone is: images to features."""

from __future__ import annotations

from torch import Tensor, nn


class Backbone(nn.Module):
    """Base class of backbones: images (N, C, H, W) to features (N, D).

    num_features: D, by timm's name. A backbone takes its channels as ``Annotated[int, FromRun("in_channels")]`` and
    offers ``weights`` to start from existing ones.

    A method that wants more than pooled features (MAE: tokens of the visible patches) asks its backbone for a
    method by name in its own constructor and raises ValueError, naming it, where there is none; the contract
    stays this small for all others.
    """

    num_features: int

    def forward(self, images: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not implement forward(images)")
