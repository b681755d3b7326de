from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision import models

import sslreg
from sslreg_backbones.vit import ViT


@pytest.fixture
def vit() -> ViT:
    torch.manual_seed(0)
    return ViT(1, 16, patch_size=4, width=16, depth=3, heads=2).eval()


def images(size: int = 16, count: int = 3) -> Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(size))


@pytest.mark.parametrize("name", ["vit_b_32"])
def test_tokens_are_torchvisions_at_the_native_size(name: str) -> None:
    torch.manual_seed(0)
    theirs = models.get_model(name, image_size=64).eval()
    ours: Any = sslreg.build("backbone", name, image_size=64).eval()
    ours.body.load_state_dict(theirs.state_dict(), strict=False)
    theirs.heads = torch.nn.Identity()
    photos = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(photos), theirs(photos), atol=1e-6, rtol=0)


def test_the_features_are_the_class_token_or_the_mean_of_patches(vit: ViT) -> None:
    prefix, patches = vit.tokens(images())
    torch.testing.assert_close(vit(images()), prefix[:, 0])
    vit.pool = "mean"
    torch.testing.assert_close(vit(images()), patches.mean(dim=1))


@pytest.mark.parametrize("size", [8, 24])
def test_other_sizes_interpolate_position_embeddings(vit: ViT, size: int) -> None:
    """As torchvision resizes the position embeddings of pretrained weights."""
    other = ViT(1, size, patch_size=4, width=16, depth=3, heads=2).eval()
    state = models.vision_transformer.interpolate_embeddings(size, 4, dict(vit.body.state_dict()))
    other.body.load_state_dict(state)
    torch.testing.assert_close(vit(images(size)), other(images(size)))


def test_images_may_be_wider_than_high(vit: ViT) -> None:
    _, patches = vit.tokens(torch.rand(2, 1, 8, 24))
    assert patches.shape == (2, 12, 16)


def test_dropped_patches_keep_their_positions(vit: ViT) -> None:
    keep = torch.tensor([[0, 5, 9], [1, 2, 15], [3, 4, 5]])
    _, patches = vit.tokens(images(), keep=keep)
    assert patches.shape == (3, 3, 16)
    vit.body.encoder.layers = torch.nn.Sequential()
    _, kept = vit.tokens(images(), keep=keep)
    _, embedded = vit.tokens(images())
    torch.testing.assert_close(kept[1], embedded[1, keep[1]])


def test_nothing_attends_to_padding(vit: ViT) -> None:
    keep = torch.tensor([[0, 5, -1, -1], [1, 2, 7, 15], [3, -1, -1, -1]])
    prefix, patches = vit.tokens(images(), keep=keep)
    alone_prefix, alone = vit.tokens(images()[:1], keep=keep[:1, :2])
    torch.testing.assert_close(prefix[:1], alone_prefix)
    torch.testing.assert_close(patches[:1, :2], alone)


def test_the_mask_token_replaces_masked_patches_before_position_embeddings(vit: ViT) -> None:
    token, mask = torch.ones(16, requires_grad=True), torch.zeros(3, 16, dtype=torch.bool)
    torch.testing.assert_close(vit.tokens(images(), mask=mask, mask_token=token), vit.tokens(images()))
    vit.tokens(images(), mask=mask, mask_token=token)[1].sum().backward()
    assert token.grad is not None
    assert not token.grad.any()
    mask[0, 3] = True
    changed = images()
    changed[0, :, 0:4, 12:16] = 9  # the masked patch
    with torch.no_grad():
        torch.testing.assert_close(
            vit.tokens(changed, mask=mask, mask_token=token), vit.tokens(images(), mask=mask, mask_token=token)
        )


def test_the_class_tokens_attention_is_that_of_the_last_block(vit: ViT) -> None:
    attention = vit.class_attention(images(24))
    assert attention.shape == (3, 2, 6, 6)
    assert attention.min() >= 0
    assert bool((attention.sum(dim=(2, 3)) < 1).all())


def test_drop_path_skips_branches_in_training_only(vit: ViT) -> None:
    dropping = ViT(1, 16, patch_size=4, width=16, depth=3, heads=2, drop_path=0.9)
    dropping.load_state_dict(vit.state_dict())
    torch.testing.assert_close(dropping.eval()(images()), vit(images()))
    torch.manual_seed(0)
    assert not torch.allclose(dropping.train()(images()), vit(images()))


def test_parameters_are_listed_by_depth(vit: ViT) -> None:
    names = {id(parameter): name for name, parameter in vit.body.named_parameters()}
    layers = [{names[id(parameter)] for parameter in parameters} for parameters in vit.parameters_by_depth()]
    assert [len(layer) for layer in layers] == [4, 12, 12, 12, 2]
    assert set().union(*layers) == set(names.values())
    assert all(
        name.startswith(f"encoder.layers.encoder_layer_{block}.") for block in range(3) for name in layers[block + 1]
    )
    assert layers[-1] == {"encoder.ln.weight", "encoder.ln.bias"}


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch.compile looks at it
@pytest.mark.parametrize("compiles", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_gradients_are_equal_with_gradient_checkpointing(vit: ViT, compiles: bool) -> None:
    keep, gradients = torch.tensor([[0, 5, 9], [1, 2, 15], [3, 4, 5]]), []
    for _ in range(2):
        vit.zero_grad()
        torch.cat(vit.train().tokens(images(), keep=keep), dim=1).square().sum().backward()
        gradients.append([parameter.grad for parameter in vit.parameters()])
        vit.enable_gradient_checkpointing()
        if compiles:
            vit.compile(backend="aot_eager")
    torch.testing.assert_close(gradients[0], gradients[1])


def test_activations_are_computed_again_with_gradient_checkpointing(vit: ViT) -> None:
    calls: list[int] = []
    vit.body.encoder.layers[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    vit.enable_gradient_checkpointing()
    vit(images()).sum().backward()
    assert len(calls) == 2
