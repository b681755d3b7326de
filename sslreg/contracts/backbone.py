"""The contract of a backbone: images to features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

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

    #: The names of the frozen modules, which stay in eval mode; see `freeze_stages`.
    _frozen_modules: tuple[str, ...] = ()

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

    def parameters_by_depth(self) -> Sequence[Sequence[nn.Parameter]]:
        """Return the parameters by depth, each once: L + 2 sequences for L stages.

        The first holds those of the embeddings: patches, positions, class token and registers, or the stem of a
        convolutional network. Then come those of each stage; the stages of a Vision Transformer are its blocks. The
        last holds those after the stages, such as the last norm.

        This method is optional. `layer_decay` and `freeze_stages` need it.

        Raises:
            ValueError: the backbone does not tell its stages.
        """
        raise ValueError(f"{type(self).__name__} does not tell its stages, on which frozen_stages and layer_decay rely")

    def freeze_stages(self, count: int) -> None:
        """Freeze the embeddings or the stem, and the first stages; 0 freezes nothing.

        Frozen parameters require no gradient. Modules all of whose parameters are frozen stay in eval mode: batch
        normalization uses its running statistics, and nothing is dropped. A constructor calls it at its end.

        Args:
            count: the number of stages.

        Raises:
            ValueError: there are fewer stages, or the backbone does not tell them.
        """
        if not count:
            return
        depths = self.parameters_by_depth()
        if count > len(depths) - 2:
            raise ValueError(
                f"frozen_stages is {count}, but the backbone has {len(depths) - 2} stages (the stages of a Vision "
                "Transformer are its blocks)"
            )
        frozen = {id(parameter) for parameters in depths[: count + 1] for parameter in parameters}
        names: list[str] = []
        for name, module in self.named_modules():
            parameters = list(module.parameters())
            is_part = any(name.startswith(f"{other}.") for other in names)
            if name and parameters and not is_part and all(id(parameter) in frozen for parameter in parameters):
                names.append(name)
        for parameter in self.parameters():
            if id(parameter) in frozen:
                parameter.requires_grad_(False)
        self._frozen_modules = tuple(names)
        self.train(self.training)

    def unfreeze(self) -> None:
        """Make all parameters require a gradient, and all modules follow the mode of the backbone."""
        self._frozen_modules = ()
        self.requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set the mode; frozen modules stay in eval mode."""
        super().train(mode)
        for name in self._frozen_modules:
            self.get_submodule(name).eval()
        return self

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
