"""A small convolutional network, for small images and for training on a CPU."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt
from torch import Tensor, nn

import sslreg


class ConvNet(sslreg.Backbone):
    """3x3 convolutions, each with batch normalization and a ReLU, and the mean over what is left of the image.

    width: the channels of the first layer.
    depth: the number of layers.
    """

    def __init__(
        self,
        in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3,
        width: PositiveInt = 32,
        depth: Annotated[int, Field(ge=1)] = 5,
    ) -> None:
        super().__init__()
        self.body = nn.Sequential()
        channels = in_channels
        for layer in range(depth):
            out_channels, stride = width * 2 ** ((layer + 1) // 2), 1 + layer % 2
            self.body.append(nn.Conv2d(channels, out_channels, 3, stride, padding=1, bias=False))
            self.body.append(nn.BatchNorm2d(out_channels))
            self.body.append(nn.ReLU(inplace=True))
            channels = out_channels
        self.num_features = channels

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.body(images)
        return features.mean(dim=(2, 3))
