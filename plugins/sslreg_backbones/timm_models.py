"""Models of timm without their heads."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

from torch import Tensor

import sslreg
from sslreg_backbones.weights import load_weights, read_file


class TimmBackbone(sslreg.Backbone):
    """A model of timm without its classifier: features (N, D), pooled as in timm.

    Args:
        name: timm's name of the model, with the tag of its weights if there are several (``resnet50.a1_in1k``).
        image_size: The side of the square images for a model of fixed size; others take any size.
        weights: The initial weights: ``pretrained`` for timm's own, or the path of a state dict, in a safetensors file
            or a file of ``torch.save``.

    Attributes:
        body: timm's module.

    Raises:
        ValueError: timm is not installed or has no such model, or the weights are missing or do not fit.
    """

    def __init__(
        self,
        name: str,
        in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3,
        image_size: Annotated[int, sslreg.FromRun("image_size")] = 224,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        try:
            timm: Any = import_module("timm")
        except ImportError as error:
            raise ValueError("timm is not installed; install it with: pip install 'sslreg[timm]'") from error
        try:
            config = timm.get_pretrained_cfg(name)
            self.arguments = {"num_classes": 0, "in_chans": in_channels}
            if config and config.fixed_input_size:
                self.arguments["img_size"] = image_size
            self.body: Any = timm.create_model(name, pretrained=weights == "pretrained", **self.arguments)
        except (AssertionError, OSError, RuntimeError) as error:
            raise ValueError(
                f"timm cannot build {name!r} for images of {image_size} pixels with weights {weights!r}: {error}"
            ) from error
        self.num_features: int = self.body.head_hidden_size
        if weights is not None and weights != "pretrained":
            classifier = self.body.pretrained_cfg["classifier"]
            heads = [classifier] if isinstance(classifier, str) else list(classifier or ())
            load_weights(self.body, heads, read_file(weights, "timm", ["pretrained"]))

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.body(images)
        return features

    def plain(self) -> sslreg.PlainModule:
        """Return timm's module and the code that builds it."""
        arguments = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        code = f"import timm\nmodel = timm.create_model({self.name!r}{arguments})"
        return sslreg.PlainModule("timm", self.body, code)
