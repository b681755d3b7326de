import pytest
import torch

import sslreg
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


def test_fixed_positions_are_those_of_each_size_and_are_not_trained() -> None:
    vit = ViT(in_channels=1, image_size=8, patch_size=4, width=8, depth=1, heads=2, positions="sine_cosine").eval()
    assert not vit.body.encoder.pos_embedding.requires_grad
    for height, width in ((8, 8), (8, 12)):
        embedded = []
        vit.body.encoder.layers[0].ln_1.register_forward_pre_hook(
            lambda _, inputs, seen=embedded: seen.append(inputs[0])
        )
        images = torch.rand(1, 1, height, width)
        vit.tokens(images)
        patches = vit.body.conv_proj(images).flatten(2).mT
        expected = patches + sslreg.sine_cosine_embeddings((height // 4, width // 4), 8)
        torch.testing.assert_close(embedded[0][:, 1:], expected.float())
        torch.testing.assert_close(embedded[0][:, 0], vit.body.class_token[0])


def test_a_width_without_quarters_has_no_fixed_positions() -> None:
    with pytest.raises(ValueError, match="a multiple of 4, but it is 6"):
        ViT(image_size=8, width=6, heads=2, positions="sine_cosine")
