"""torchvision's classification models without their heads: one class for each, by torchvision's name."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torchvision import models

import sslreg
from sslreg_backbones.torchvision_names import NAMES
from sslreg_backbones.weights import first_convolution, is_named, load_weights, read_weights

#: The auxiliary classifiers of GoogLeNet and Inception, which are never built.
_AUXILIARY = ("aux1", "aux2", "AuxLogits")


class TorchvisionBackbone(sslreg.Backbone):
    """A torchvision model with its last layer taken off: the features (N, D) are what that layer classified.

    `body` is torchvision's module, its last layer and a dropout before that replaced by identities; so its state is
    that of torchvision's own model, less the head.

    image_size: the side of the square images that a Vision Transformer or MaxViT is made for; others take any size.
    stem: ``small`` starts a ResNet with a 3x3 convolution of stride 1 and no max-pool, for images of CIFAR's size.
    weights: what to start from: the name of torchvision's weights (``IMAGENET1K_V1``, ``DEFAULT``), or the path of a
        state dict, in a safetensors file or one of ``torch.save``. The first filters are folded to the channels.

    ValueError: a stem or an image size that the architecture cannot have, weights that are missing or do not fit.
    """

    architecture: ClassVar[str]

    def __init__(
        self,
        in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3,
        image_size: Annotated[int, sslreg.FromRun("image_size")] = 224,
        stem: Literal["imagenet", "small"] = "imagenet",
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.arguments = _arguments(self.architecture, image_size, is_named(self.architecture, weights))
        self.body = _whole_model(self.architecture, image_size, self.arguments)
        head = _last_layer(self.body)
        self.num_features = _take_off(self.body, head)
        #: The layers that are not torchvision's own; a dropout before the head counts for nothing once trained.
        self.exchanged = [head]
        if stem == "small":
            _shrink_stem(self.body, self.architecture)
            self.exchanged += ["conv1", "maxpool"]
        if _set_channels(self.body, in_channels) and stem != "small":
            self.exchanged.append(first_convolution(self.body) or "")
        if weights is not None:
            load_weights(self.body, [head, *_AUXILIARY], read_weights(self.architecture, weights))

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.body(images)
        return features

    def plain(self) -> sslreg.PlainModule:
        """torchvision's model, with the layers that were exchanged."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        lines = ["import torch, torchvision", f"model = torchvision.models.{self.architecture}({arguments})"]
        lines += [
            f'model.set_submodule("{name}", torch.nn.{self.body.get_submodule(name)!r})' for name in self.exchanged
        ]
        return sslreg.PlainModule("torchvision", self.body, "\n".join(lines))


def _arguments(architecture: str, image_size: int, transform_input: bool) -> dict[str, Any]:
    """What torchvision is told to make a model without auxiliary classifiers.

    transform_input: undo ImageNet's normalization where torchvision's weights of the architecture are used to that.
    """
    if architecture.startswith("vit"):
        return {"image_size": image_size}
    if architecture.startswith("maxvit"):
        return {"input_size": (image_size, image_size)}
    if architecture in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "init_weights": True, "transform_input": transform_input}
    return {}


def _whole_model(architecture: str, image_size: int, arguments: dict[str, Any]) -> Any:
    """torchvision's untrained model. ValueError: it cannot be made for images of this size."""
    try:
        return models.get_model(architecture, **arguments)
    except (AssertionError, ValueError) as error:
        raise ValueError(
            f"{architecture} cannot be made for images of {image_size} pixels: "
            f"{str(error).splitlines()[0]} The views' size has to be one that it can take, such as 224"
        ) from error


def _last_layer(body: nn.Module) -> str:
    """The name of the layer that gives the classes' scores."""
    if isinstance(body, models.SqueezeNet):
        return "classifier.1"
    names: list[str] = [name for name, module in body.named_modules() if isinstance(module, nn.Linear)]
    return names[-1]


def _take_off(body: nn.Module, head: str) -> int:
    """Replace the layer, and a dropout right before it, by identities; the width of what it was given."""
    layer = body.get_submodule(head)
    leaves = [name for name, module in body.named_modules() if not any(module.children())]
    before = leaves[leaves.index(head) - 1]
    if isinstance(body.get_submodule(before), nn.Dropout):
        body.set_submodule(before, nn.Identity())
    body.set_submodule(head, nn.Identity())
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    return layer.in_channels if isinstance(layer, nn.Conv2d) else layer.in_features


def _shrink_stem(body: nn.Module, architecture: str) -> None:
    if not isinstance(body, models.ResNet):
        raise ValueError(f"stem: small is for ResNets, of which {architecture} is none; leave stem out")
    body.conv1 = nn.Conv2d(3, body.conv1.out_channels, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(body.conv1.weight, mode="fan_out", nonlinearity="relu")
    body.maxpool = nn.Identity()


@torch.no_grad()
def _set_channels(body: nn.Module, channels: int) -> bool:
    """Make the first convolution one of `channels` channels, with new filters that are spread as the old ones.

    Whether it was not one already.
    """
    old = body.get_submodule(first_convolution(body) or "")
    assert isinstance(old, nn.Conv2d)
    if channels == old.in_channels:
        return False
    if getattr(body, "transform_input", False):
        raise ValueError(f"these weights want images of 3 channels, and the views have {channels}")
    shape = (old.out_channels, channels, *old.weight.shape[2:])
    old.in_channels = channels
    old.weight = nn.Parameter(torch.randn(shape).to(old.weight) * old.weight.std())
    return True


@cache
def _backbone(name: str) -> type[TorchvisionBackbone]:
    return type(name, (TorchvisionBackbone,), {"architecture": name, "__module__": __name__})


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _backbone(name)
