"""The contract of a backbone: images to features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sslreg.contracts.component import Component
from sslreg.contracts.loaded_weights import LoadedWeights


@dataclass(frozen=True)
class PlainModule:
    """A backbone as a module of the library that it comes from, for use without sslreg.

    Attributes:
        library: the name of the library.
        module: the module, whose state dict an export holds.
        code: lines of Python, with imports, that build such a module under the name ``model``. With the state dict
            loaded strictly, in eval mode, it returns the features of the backbone.
    """

    library: str
    module: nn.Module
    code: str


class Backbone(Component, nn.Module):
    """Base class of backbones: images (N, C, H, W) to features (N, D).

    A backbone takes its channels as ``Annotated[int, FromRun("in_channels")]``, and a parameter ``weights`` to start
    from existing ones. Models that need the tokens of patches, such as MAE, take a `PatchBackbone`.

    Attributes:
        num_features: D; the name is timm's.
        loaded_weights: the weights from which the backbone starts, set by the constructor; None for random ones. A run
            prints and locks them.
    """

    #: The methods that `compile` compiles in addition to `forward`.
    compiled_methods: ClassVar[tuple[str, ...]] = ("patches",)

    num_features: int
    loaded_weights: LoadedWeights | None = None

    def forward(self, images: Tensor) -> Tensor:
        """Return the features (N, D) of images (N, C, H, W)."""
        raise NotImplementedError(f"{type(self).__name__} does not implement forward(images)")

    def patches(self, images: Tensor) -> Tensor:
        """Return the features (N, rows, columns, D) of the patches of images (N, C, H, W).

        This method is optional. A convolutional network returns its last feature map, of `num_features` channels. A
        model that needs the method calls `require_patches` in its constructor.

        Raises:
            ValueError: the backbone has no features of patches.
        """
        raise ValueError(_lacks_patches(self))

    def require_patches(self) -> None:
        """Refuse a backbone without `patches`.

        Raises:
            ValueError: the backbone does not implement `patches`.
        """
        if type(self).patches is Backbone.patches:
            raise ValueError(_lacks_patches(self))

    def compile(self, *args: Any, **options: Any) -> None:
        """Compile `forward` and the `compiled_methods`, in place. The arguments are those of `torch.compile`."""
        super().compile(*args, **options)
        for name in self.compiled_methods:
            setattr(self, name, torch.compile(getattr(self, name), *args, **options))

    def __getstate__(self) -> dict[str, Any]:
        # The compiled functions compute with this module's weights, whereas a copy has others.
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]
        return {name: value for name, value in state.items() if name not in self.compiled_methods}

    def enable_gradient_checkpointing(self) -> None:
        """Compute activations again in the backward pass instead of storing them, with equal gradients.

        Training calls it for the trained backbones if ``engine.gradient_checkpointing`` is set.

        Raises:
            ValueError: the backbone does not support it.
        """
        raise ValueError(f"{type(self).__name__} does not support gradient checkpointing")

    def plain(self) -> PlainModule | None:
        """Return the backbone as a module of another library; None if only sslreg can build it."""
        return None


def _lacks_patches(backbone: Backbone) -> str:
    return (
        f"{type(backbone).__name__} has no features of patches; use a Vision Transformer, or another backbone that "
        "implements patches(images), such as a ResNet"
    )
