"""A small convolutional network, for small images and for training on a CPU."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

import sslreg
from sslreg_backbones.weight_sources import open_weights
from sslreg_backbones.weights import load_weights


class ConvNet(sslreg.Backbone):
    """3x3 convolutions, each with batch normalization and a ReLU, and the mean over the remaining pixels.

    Each layer has twice the channels of the one before it. All but the first and the last halve the sides of the image.
    By default, images of 16x16 pixels become 256 features by way of 2x2 pixels.

    Args:
        width: The number of channels of the first layer.
        depth: The number of layers.
        weights: The initial weights: a file of this backbone, or the folder of a run. The first filters are adapted to
            the number of channels.
        frozen_stages: The number of layers after the first that are not trained, and neither is the first then.

    Raises:
        ValueError: The weights are missing or do not fit, or there are fewer stages.
    """

    def __init__(
        self,
        in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3,
        width: PositiveInt = 16,
        depth: Annotated[int, Field(ge=1)] = 5,
        weights: str | None = None,
        frozen_stages: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        self.body = nn.Sequential()
        before = in_channels
        for layer in range(depth):
            channels, stride = width * 2**layer, 2 if 0 < layer < depth - 1 else 1
            self.body.append(nn.Conv2d(before, channels, 3, stride, padding=1, bias=False))
            self.body.append(nn.BatchNorm2d(channels))
            self.body.append(nn.ReLU(inplace=True))
            before = channels
        self.num_features = before
        if weights is not None:
            self.loaded_weights = load_weights(self.body, open_weights(weights, "sslreg", []))
        # With this layout, a step takes a quarter less time on a CPU.
        self.to(memory_format=torch.channels_last)
        self.freeze_stages(frozen_stages)

    def parameters_by_depth(self) -> list[list[nn.Parameter]]:
        # Each layer is a convolution, a normalization and a ReLU.
        return [*(list(self.body[start : start + 3].parameters()) for start in range(0, len(self.body), 3)), []]

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.body(images)
        return features.mean(dim=(2, 3))

    def patches(self, images: Tensor) -> Tensor:
        features: Tensor = self.body(images)
        return features.permute(0, 2, 3, 1)
