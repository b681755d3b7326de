import pytest
import torch

from sslreg_backbones.convnet import ConvNet


@pytest.mark.parametrize("size", [8, 16, 28])
def test_features_are_as_wide_as_promised(size: int) -> None:
    backbone = ConvNet(in_channels=1)
    assert backbone(torch.rand(2, 1, size, size)).shape == (2, backbone.num_features)


@pytest.mark.parametrize(("width", "depth"), [(8, 1), (8, 2), (16, 4)])
def test_width_and_depth_are_free(width: int, depth: int) -> None:
    backbone = ConvNet(in_channels=3, width=width, depth=depth)
    convolutions = [module for module in backbone.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(convolutions) == depth
    assert convolutions[0].out_channels == width
    assert backbone(torch.rand(2, 3, 16, 16)).shape == (2, backbone.num_features)
