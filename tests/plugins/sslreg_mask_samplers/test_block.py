"""Blockwise masks, and their statistics compared with lightly's."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from sslreg.contracts import SampleKeys
from sslreg_mask_samplers import BlockMaskSampler

IMAGES = 1000
GRID = (14, 14)


def masked(sampler: BlockMaskSampler, grid: tuple[int, int] = GRID, images: int = IMAGES) -> Tensor:
    keys = SampleKeys.of_samples(0, [0] * images, range(images))
    return sampler.sample(keys, grid).targets[:, 0].unflatten(1, grid)


def masked_neighbors(mask: Tensor) -> Tensor:
    """Return the share of the pairs of neighbors of a masked patch that are both masked, for each image."""
    pairs = (mask[:, 1:] & mask[:, :-1]).sum(dim=(1, 2)) + (mask[:, :, 1:] & mask[:, :, :-1]).sum(dim=(1, 2))
    return pairs / (2 * mask.sum(dim=(1, 2)).clamp(min=1))


@pytest.mark.parametrize(
    ("ratio", "grid"), [(0.3, (14, 14)), (0.5, (8, 8)), (0.4, (3, 12)), (0.6, (1, 9)), (0.9, (5, 5))]
)
def test_the_number_of_masked_patches_is_exact(ratio: float, grid: tuple[int, int]) -> None:
    numbers = masked(BlockMaskSampler(share=1.0, ratio=(ratio, ratio)), grid, images=100).sum(dim=(1, 2))
    assert set(numbers.tolist()) == {round(ratio * grid[0] * grid[1])}


def test_a_share_of_the_images_is_masked() -> None:
    mask = masked(BlockMaskSampler(share=0.3))
    assert mask.any(dim=(1, 2)).float().mean().item() == pytest.approx(0.3, abs=0.05)


def test_masks_resemble_those_of_lightly() -> None:
    utils = pytest.importorskip("lightly.models.utils")
    random.seed(0)
    theirs = utils.random_block_mask(size=(IMAGES, *GRID))
    ours = masked(BlockMaskSampler())
    theirs, ours = (mask[mask.any(dim=2).any(dim=1)] for mask in (theirs, ours))
    assert len(ours) == pytest.approx(len(theirs), rel=0.1)
    shares = [mask.float().mean().item() for mask in (ours, theirs)]
    assert shares[0] == pytest.approx(shares[1], abs=0.015)
    assert (ours.sum(dim=(1, 2)).float().quantile(0.9) / theirs.sum(dim=(1, 2)).float().quantile(0.9)).item() == (
        pytest.approx(1, abs=0.05)
    )
    neighbors = [masked_neighbors(mask).mean().item() for mask in (ours, theirs)]
    assert neighbors[0] == pytest.approx(neighbors[1], abs=0.02)
    # The middle is masked more often than the corners, equally in both.
    for place in ((slice(5, 9), slice(5, 9)), (0, 0), (13, 13), (0, 7)):
        at_place = [mask[:, *place].float().mean().item() for mask in (ours, theirs)]
        assert at_place[0] == pytest.approx(at_place[1], abs=0.05)


@pytest.mark.parametrize("parameter", ["ratio", "aspect_ratio"])
@pytest.mark.parametrize("interval", [(0.5, 0.1), (0.0, 0.5), (-1.0, 0.5)])
def test_an_interval_that_does_not_ascend_is_refused(parameter: str, interval: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=rf"{parameter} is \[.*\]; it should be \[low, high\] with 0 < low"):
        BlockMaskSampler(**{parameter: interval})


def test_a_single_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="1x1 patches are too few"):
        masked(BlockMaskSampler(), (1, 1), images=2)


def test_single_patches_fill_up_what_rectangles_leave() -> None:
    # A rectangle that is ten times as high as wide never fits into a single row.
    mask = masked(BlockMaskSampler(share=1.0, ratio=(0.5, 0.5), aspect_ratio=(10, 10)), (1, 12), images=20)
    assert set(mask.sum(dim=(1, 2)).tolist()) == {6}
    assert len(torch.unique(mask.flatten(1), dim=0)) > 10
