"""What a backbone is: images to features."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class PlainModule:
    """A backbone as the module of the library that it is from, for those who use it without sslreg.

    library: its name; module: the module, whose state dict is what an export holds; code: lines of Python, imports
    included, that build one like it under the name ``model``. Loaded strictly with that state dict and put in
    eval mode, it gives the backbone's features.
    """

    library: str
    module: nn.Module
    code: str


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

    def plain(self) -> PlainModule | None:
        """This backbone as another library's module; None where only sslreg can build it."""
        return None
