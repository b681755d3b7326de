import pytest
import torch

from sslreg_backbones.vit import ViT


@pytest.mark.parametrize("size", [16, 28])
def test_features_are_as_wide_as_a_token(size: int) -> None:
    backbone = ViT(in_channels=1, image_size=16)
    assert backbone(torch.rand(2, 1, size, size)).shape == (2, backbone.num_features) == (2, 64)


def test_parameters_are_those_of_the_architecture() -> None:
    backbone = ViT(5, 16, patch_size=2, width=24, depth=2, heads=3, mlp_ratio=2)
    assert backbone.body.conv_proj.weight.shape == (24, 5, 2, 2)
    assert len(backbone.body.encoder.layers) == 2
    assert backbone.body.encoder.layers[0].mlp[0].out_features == 48


def test_images_that_do_not_divide_into_patches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"images of 30x30 pixels do not divide into patches of 4x4; .* such as 32"):
        ViT(image_size=30)


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="width is 10, but should be a multiple of heads, 4"):
        ViT(image_size=16, width=10)
