import pytest
import torch
from torch import nn

from sslreg_backbones.convnet import ConvNet


@pytest.mark.parametrize("size", [8, 16, 28])
def test_features_are_as_wide_as_promised(size: int) -> None:
    backbone = ConvNet(in_channels=1)
    assert backbone(torch.rand(2, 1, size, size)).shape == (2, backbone.num_features) == (2, 256)


def test_images_of_sixteen_pixels_end_as_two_by_two() -> None:
    assert ConvNet(in_channels=1).body(torch.rand(1, 1, 16, 16)).shape == (1, 256, 2, 2)


@pytest.mark.parametrize(("width", "depth", "features"), [(8, 1, 8), (8, 2, 16), (4, 6, 128)])
def test_every_layer_doubles_the_channels(width: int, depth: int, features: int) -> None:
    backbone = ConvNet(in_channels=3, width=width, depth=depth)
    channels = [module.out_channels for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    assert channels == [width * 2**layer for layer in range(depth)]
    assert backbone(torch.rand(2, 3, 16, 16)).shape == (2, features)


def test_the_mean_over_patches_is_the_features() -> None:
    backbone, images = ConvNet(in_channels=1).eval(), torch.rand(2, 1, 16, 24)
    patches = backbone.patches(images)
    assert patches.shape == (2, 2, 3, backbone.num_features)
    torch.testing.assert_close(patches.mean(dim=(1, 2)), backbone(images))
