"""Random patches and squares of patches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sslreg.contracts import SampleKeys
from sslreg_mask_samplers import RandomMaskSampler


def keys(images: int) -> SampleKeys:
    return SampleKeys.of_samples(0, [0] * images, range(images))


def masked(sampler: RandomMaskSampler, images: int, grid: tuple[int, int]) -> Tensor:
    return sampler.sample(keys(images), grid).targets[:, 0].unflatten(1, grid)


@pytest.mark.parametrize(
    ("ratio", "grid", "expected"),
    [(0.75, (14, 14), 147), (0.6, (14, 14), 118), (0.9, (10, 1), 9), (0.01, (4, 4), 1), (0.99, (1, 2), 1)],
)
def test_each_image_has_the_same_number_of_masked_patches(ratio: float, grid: tuple[int, int], expected: int) -> None:
    assert set(masked(RandomMaskSampler(ratio), 8, grid).sum(dim=(1, 2)).tolist()) == {expected}


def test_every_patch_is_masked_equally_often() -> None:
    shares = masked(RandomMaskSampler(0.75), 4000, (4, 5)).float().mean(dim=0)
    assert torch.allclose(shares, torch.tensor(0.75), atol=0.03)


def test_the_masked_patches_of_different_images_differ() -> None:
    assert len(masked(RandomMaskSampler(), 64, (8, 8)).flatten(1).unique(dim=0)) == 64


def test_a_unit_masks_squares_of_patches() -> None:
    mask = masked(RandomMaskSampler(0.6, unit=2), 16, (6, 8))
    squares = mask.unfold(1, 2, 2).unfold(2, 2, 2).flatten(3)
    assert torch.equal(squares.any(dim=3), squares.all(dim=3))
    # SimMIM rounds the number of squares up: 7.2 of 12.
    assert set(squares.any(dim=3).sum(dim=(1, 2)).tolist()) == {8}


@pytest.mark.parametrize(
    ("unit", "grid", "message"),
    [
        (2, (7, 8), "7x8 patches do not divide into squares of 2x2 patches; set `unit`"),
        (4, (4, 4), "4x4 patches are too few"),
        (1, (1, 1), "1x1 patches are too few"),
    ],
)
def test_a_grid_that_it_cannot_mask_is_refused(unit: int, grid: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomMaskSampler(unit=unit).sample(keys(2), grid)
