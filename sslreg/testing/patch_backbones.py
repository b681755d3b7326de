"""The checks of backbones of patches; see `sslreg.PatchBackbone`. Other backbones skip them."""

from __future__ import annotations

import torch
from torch import Tensor

from sslreg.contracts import PatchBackbone
from sslreg.testing.backbones import build_small
from sslreg.testing.case import Case
from sslreg.testing.checks import check, explain

#: The rows and columns of patches in the images of most checks.
GRID = (3, 2)


def build_patch_backbone(case: Case) -> PatchBackbone:
    """Return the backbone; skip the check for a large one and for one that has no patches."""
    backbone, _ = build_small(case)
    if not isinstance(backbone, PatchBackbone):
        case.skip("it is no backbone of patches")
    return backbone


def make_images(backbone: PatchBackbone, rows: int = GRID[0], columns: int = GRID[1], seed: int = 0) -> Tensor:
    """Return two images of a number of rows and columns of patches."""
    side, generator = backbone.patch_size, torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, rows * side, columns * side, generator=generator)


def replace_patches(backbone: PatchBackbone, images: Tensor, selected: Tensor) -> Tensor:
    """Return images of `GRID` in which other pixels replace the selected patches (N, L)."""
    side = backbone.patch_size
    pixels = selected.reshape(-1, 1, *GRID).repeat_interleave(side, dim=2).repeat_interleave(side, dim=3)
    return torch.where(pixels, make_images(backbone, seed=1), images)


def assert_close(actual: tuple[Tensor, ...], expected: tuple[Tensor, ...], fault: str) -> None:
    """Compare tensors, such as prefix tokens and tokens of patches."""
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3, msg=lambda details: f"{fault}\n{details}")


def differ(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() > 1e-6)


@check("backbone")
def divides_images_into_patches(case: Case) -> None:
    backbone = build_patch_backbone(case)
    for grid in (GRID, (2, 4)):
        images = make_images(backbone, *grid)
        with torch.no_grad(), explain(f"cannot encode {grid[0]}x{grid[1]} patches"):
            assert backbone.grid(images) == grid
            (prefix, patches), features = backbone.tokens(images), backbone(images)
        assert features.shape == (2, backbone.num_features)
        assert patches.shape == (2, grid[0] * grid[1], backbone.token_features)
        assert prefix.shape == (2, prefix.shape[1], backbone.token_features)
        assert prefix.shape[1] >= backbone.has_class_token, "has_class_token is true, but there is no prefix token"


@check("backbone")
@torch.no_grad()
def pools_its_tokens(case: Case) -> None:
    backbone = build_patch_backbone(case)
    images = make_images(backbone)
    pooled = backbone.pool_tokens(*backbone.tokens(images))
    assert_close((pooled,), (backbone(images),), "features differ from pool_tokens of tokens; implement pool_tokens")


@check("backbone")
def refuses_a_part_of_a_patch(case: Case) -> None:
    backbone = build_patch_backbone(case)
    side = backbone.patch_size
    if side == 1:
        case.skip("a patch is a pixel")
    for size in ((2 * side + 1, 2 * side), (2 * side, 2 * side + 1)):
        for encode in (backbone.tokens, backbone):
            try:
                encode(torch.zeros(2, 3, *size))
            except ValueError:
                continue
            raise AssertionError(
                f"images of {size[0]}x{size[1]} pixels are encoded; call grid(images), which refuses them"
            )


@check("backbone")
@torch.no_grad()
def drops_patches(case: Case) -> None:
    backbone = build_patch_backbone(case)
    images, count = make_images(backbone), GRID[0] * GRID[1]
    all_patches = torch.arange(count).expand(2, -1)
    assert_close(backbone.tokens(images, keep=all_patches), backbone.tokens(images), "all patches are kept")
    keep = torch.tensor([[0, 2, 3], [1, 2, 5]])
    dropped = torch.ones(2, count, dtype=torch.bool).scatter(1, keep, False)
    tokens = backbone.tokens(images, keep=keep)
    assert tokens[1].shape == (2, 3, backbone.token_features)
    others = backbone.tokens(replace_patches(backbone, images, dropped), keep=keep)
    assert_close(others, tokens, "dropped patches change the tokens of others")


@check("backbone")
@torch.no_grad()
def keeps_the_positions_of_patches(case: Case) -> None:
    """Compare two patches side by side with the same patches one above the other."""
    backbone = build_patch_backbone(case)
    images, side = make_images(backbone), backbone.patch_size
    moved = images.clone()
    moved[:, :, side : 2 * side, :side] = images[:, :, :side, side:]
    beside, below = torch.tensor([[0, 1]] * 2), torch.tensor([[0, 2]] * 2)
    tokens, others = backbone.tokens(images, keep=beside)[1], backbone.tokens(moved, keep=below)[1]
    assert differ(tokens, others), "kept patches have lost their positions in the image"


@check("backbone")
@torch.no_grad()
def ignores_padding(case: Case) -> None:
    backbone = build_patch_backbone(case)
    images, keep = make_images(backbone), torch.tensor([[0, 2, 4], [1, 3, -1]])
    prefix, patches = backbone.tokens(images, keep=keep)
    full, short = backbone.tokens(images[:1], keep=keep[:1]), backbone.tokens(images[1:], keep=keep[1:, :2])
    assert_close((prefix[:1], patches[:1]), full, "the padding (-1) of an image changes the tokens of another one")
    assert_close((prefix[1:], patches[1:, :2]), short, "tokens attend to padding (-1)")


@check("backbone")
def replaces_masked_patches(case: Case) -> None:
    backbone = build_patch_backbone(case)
    images, count = make_images(backbone), GRID[0] * GRID[1]
    mask_token = torch.linspace(-1, 1, backbone.token_features).requires_grad_()
    mask = torch.zeros(2, count, dtype=torch.bool)
    tokens = backbone.tokens(images, mask=mask, mask_token=mask_token)
    assert_close(tokens, backbone.tokens(images), "an empty mask changes tokens")
    torch.autograd.backward(tokens[1].sum())
    assert mask_token.grad is not None, "the mask token has no gradient (None) under an empty mask; it should be zero"
    assert not mask_token.grad.any(), "the gradient of the mask token is not zero under an empty mask"
    mask[0, 1:4] = mask[1, ::2] = True
    with torch.no_grad():
        masked = backbone.tokens(images, mask=mask, mask_token=mask_token)
        hidden = backbone.tokens(replace_patches(backbone, images, mask), mask=mask, mask_token=mask_token)
        seen = backbone.tokens(replace_patches(backbone, images, ~mask), mask=mask, mask_token=mask_token)
        none_seen = backbone.tokens(images, mask=torch.ones_like(mask), mask_token=mask_token)[1]
    assert_close(hidden, masked, "the pixels of masked patches change tokens")
    assert differ(seen[1], masked[1]), "patches that are not masked are replaced too"
    assert differ(masked[1], tokens[1].detach()), "the mask token does not replace patches"
    assert differ(none_seen[:, 0], none_seen[:, -1]), "the mask token replaces position embeddings too"


@check("backbone")
@torch.no_grad()
def tells_the_attention_of_the_class_token(case: Case) -> None:
    backbone = build_patch_backbone(case)
    images = make_images(backbone)
    try:
        attention = backbone.class_attention(images)
    except ValueError as error:
        case.skip(str(error))
    assert attention.shape == (2, attention.shape[1], *GRID)
    assert attention.min() >= 0
    assert attention.sum(dim=(2, 3)).max() <= 1 + 1e-4, "the attention of a head sums to more than 1"
