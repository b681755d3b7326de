"""torchvision's classification models without their heads, a class for each under torchvision's name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import NonNegativeInt
from torch import Tensor, nn
from torchvision import models

import sslreg
from sslreg_backbones.patch_encoding import DropPath, Pool
from sslreg_backbones.stages import torchvision_parameters_by_depth
from sslreg_backbones.torchvision_names import FAMILIES, NAMES
from sslreg_backbones.torchvision_vit import TorchvisionTokens
from sslreg_backbones.torchvision_weights import has_named_weights, open_torchvision_weights
from sslreg_backbones.weights import first_convolution, load_weights

#: The auxiliary classifiers of GoogLeNet and Inception. A backbone never has them.
_AUXILIARY = ("aux1", "aux2", "AuxLogits")

#: The architectures whose weights of torchvision's own expect that ImageNet's normalization is undone.
_INPUT_TRANSFORMING = ("googlenet", "inception_v3")


class TorchvisionBackbone(sslreg.Backbone):
    """A torchvision model without its last layer: the features (N, D) are that layer's input.

    Args:
        image_size: The side of the square images for a Vision Transformer or MaxViT; other models take any size.
        stem: ``small`` starts a ResNet with a 3x3 convolution of stride 1 and no max-pooling, for images of CIFAR's
            size.
        weights: The initial weights: the name of torchvision's weights (``IMAGENET1K_V1``, ``DEFAULT``), a file, the
            folder of a run, or a name on the Hugging Face hub (``hf-hub:ORG/NAME``, ``timm/NAME``). The first filters
            are adapted to the number of channels.
        frozen_stages: The number of first stages that are not trained, and neither is the stem then. The stages are
            ``layer1`` to ``layer4`` of a ResNet, and the parts of ``features`` after the first of other models.

    Attributes:
        body: torchvision's module. Its last layer and a dropout before it are identities, so its state dict is that of
            torchvision's model without the head.

    Raises:
        ValueError: The architecture does not support the stem or the image size, the weights are missing or do not
            fit, or there are fewer stages.
    """

    architecture: ClassVar[str]

    def __init__(
        self,
        in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3,
        image_size: Annotated[int, sslreg.FromRun("image_size")] = 224,
        stem: Literal["imagenet", "small"] = "imagenet",
        weights: str | None = None,
        frozen_stages: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        self.arguments = _model_arguments(self.architecture, image_size, has_named_weights(self.architecture, weights))
        self.body = _build_model(self.architecture, image_size, self.arguments)
        head = _find_head(self.body)
        self.num_features = _remove_head(self.body, head)
        #: The layers that differ from torchvision's, without a dropout before the head: it does nothing after training.
        self.replaced = [head]
        if stem == "small":
            _use_small_stem(self.body, self.architecture)
            self.replaced += ["conv1", "maxpool"]
        if set_channels(self.body, in_channels) and stem != "small":
            self.replaced.append(first_convolution(self.body) or "")
        if weights is not None:
            file = open_torchvision_weights(self.architecture, weights)
            self.loaded_weights = load_weights(self.body, file, heads=[head, *_AUXILIARY], adapt=self.adapt_weights)
        self.freeze_stages(frozen_stages)

    def parameters_by_depth(self) -> Sequence[Sequence[nn.Parameter]]:
        return torchvision_parameters_by_depth(self.body)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.body(images)
        return features

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Convert a state dict to the sizes of the module."""
        return state

    def plain(self) -> sslreg.PlainModule | None:
        """Return torchvision's module and the code that builds it, including the replaced layers."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        lines = ["import torch, torchvision", f"model = torchvision.models.{self.architecture}({arguments})"]
        lines += [
            f'model.set_submodule("{name}", torch.nn.{self.body.get_submodule(name)!r})' for name in self.replaced
        ]
        return sslreg.PlainModule("torchvision", self.body, "\n".join(lines))


def _model_arguments(architecture: str, image_size: int, transform_input: bool) -> dict[str, Any]:
    """Return the arguments with which torchvision builds a model without auxiliary classifiers.

    Args:
        transform_input: Undo ImageNet's normalization, as torchvision's weights of some architectures expect.
    """
    if architecture.startswith("vit"):
        return {"image_size": image_size}
    if architecture.startswith("maxvit"):
        return {"input_size": (image_size, image_size)}
    if architecture in _INPUT_TRANSFORMING:
        return {"aux_logits": False, "init_weights": True, "transform_input": transform_input}
    return {}


def _build_model(architecture: str, image_size: int, arguments: dict[str, Any]) -> Any:
    """Build torchvision's untrained model.

    Raises:
        ValueError: The model does not exist for images of this size.
    """
    try:
        return models.get_model(architecture, **arguments)
    except (AssertionError, ValueError) as error:
        raise ValueError(
            f"{architecture} cannot be built for images of {image_size} pixels: "
            f"{str(error).splitlines()[0]} The views' size has to be one that it can take, such as 224"
        ) from error


def _find_head(body: nn.Module) -> str:
    """Return the name of the layer that computes the classes' scores."""
    if isinstance(body, models.SqueezeNet):
        return "classifier.1"
    names: list[str] = [name for name, module in body.named_modules() if isinstance(module, nn.Linear)]
    return names[-1]


def _remove_head(body: nn.Module, head: str) -> int:
    """Replace the head, and a dropout right before it, by identities, and return the width of the head's input."""
    layer = body.get_submodule(head)
    leaves = [name for name, module in body.named_modules() if not any(module.children())]
    before = leaves[leaves.index(head) - 1]
    if isinstance(body.get_submodule(before), nn.Dropout):
        body.set_submodule(before, nn.Identity())
    body.set_submodule(head, nn.Identity())
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    return layer.in_channels if isinstance(layer, nn.Conv2d) else layer.in_features


def _use_small_stem(body: nn.Module, architecture: str) -> None:
    if not isinstance(body, models.ResNet):
        raise ValueError(f"stem: small is for ResNets, but {architecture} is none; omit stem")
    body.conv1 = nn.Conv2d(3, body.conv1.out_channels, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(body.conv1.weight, mode="fan_out", nonlinearity="relu")
    body.maxpool = nn.Identity()


@torch.no_grad()
def set_channels(body: nn.Module, channels: int) -> bool:
    """Change the number of channels of the first convolution; return whether it was another one.

    New filters are drawn with the standard deviation of the old ones.
    """
    old = body.get_submodule(first_convolution(body) or "")
    assert isinstance(old, nn.Conv2d)
    if channels == old.in_channels:
        return False
    if getattr(body, "transform_input", False):
        raise ValueError(f"these weights need images of 3 channels, but the views have {channels}")
    shape = (old.out_channels, channels, *old.weight.shape[2:])
    old.in_channels = channels
    old.weight = nn.Parameter(torch.randn(shape).to(old.weight) * old.weight.std())
    return True


class _InputTransformingBackbone(TorchvisionBackbone):
    """A backbone whose weights decide whether ImageNet's normalization is undone.

    A checkpoint holds the decision, because a trained model is loaded without its initial weights.
    """

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self.arguments["transform_input"])

    def set_extra_state(self, state: Tensor) -> None:
        self.body.transform_input = self.arguments["transform_input"] = bool(state)


class _ResNetBackbone(TorchvisionBackbone):
    """A ResNet, a ResNeXt or a wide ResNet, whose last feature map has the features of patches."""

    def patches(self, images: Tensor) -> Tensor:
        body = self.body
        features = body.maxpool(body.relu(body.bn1(body.conv1(images))))
        for layer in (body.layer1, body.layer2, body.layer3, body.layer4):
            features = layer(features)
        return torch.permute(features, (0, 2, 3, 1))


class _VisionTransformerBackbone(TorchvisionTokens, TorchvisionBackbone):
    """A Vision Transformer of torchvision without its last layer, for images of any multiple of its patch size.

    Args:
        image_size: The side of the images whose position embeddings are learned. For other sizes, they are
            interpolated.
        pool: The features: the token ``class``, or the ``mean`` of the tokens of patches.
        drop_path: The probability that the last block skips a branch for an image in training. It increases linearly
            from 0 in the first block.
        weights: As for other models of torchvision. Files may have the names of timm, of DINO, MAE or MoCo v3, or of
            Hugging Face. The position embeddings are interpolated.
        frozen_stages: The number of first blocks that are not trained, and neither are the embeddings then.
    """

    def __init__(
        self,
        in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3,
        image_size: Annotated[int, sslreg.FromRun("image_size")] = 224,
        pool: Pool = "class",
        drop_path: DropPath = 0.0,
        weights: str | None = None,
        frozen_stages: NonNegativeInt = 0,
    ) -> None:
        self.patch_size = int(self.architecture.rpartition("_")[2])
        self.require_whole_patches(image_size)
        super().__init__(in_channels, image_size, weights=weights)
        self.add_tokens(pool, drop_path)
        self.freeze_stages(frozen_stages)

    def plain(self) -> sslreg.PlainModule | None:
        """Return torchvision's module, which takes images of `image_size` only; None with another pooling."""
        return super().plain() if self.pool == "class" else None


@cache
def _backbone(name: str) -> type[TorchvisionBackbone]:
    base: type[TorchvisionBackbone] = TorchvisionBackbone
    if name in _INPUT_TRANSFORMING:
        base = _InputTransformingBackbone
    elif name in FAMILIES["Vision Transformer"]:
        base = _VisionTransformerBackbone
    elif name in (*FAMILIES["ResNet"], *FAMILIES["ResNeXt"], *FAMILIES["Wide ResNet"]):
        base = _ResNetBackbone
    return type(name, (base,), {"architecture": name, "__module__": __name__})


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _backbone(name)
