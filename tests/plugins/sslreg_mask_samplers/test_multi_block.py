"""I-JEPA's target blocks and context."""

from __future__ import annotations

import pytest
import torch

import sslreg
from sslreg.contracts import SampleKeys
from sslreg_mask_samplers import MultiBlockMaskSampler


def sample(sampler: MultiBlockMaskSampler, grid: tuple[int, int], images: int = 500) -> sslreg.Masks:
    return sampler.sample(SampleKeys.of_samples(0, [0] * images, range(images)), grid)


def test_targets_are_blocks_of_the_wanted_size_and_shape() -> None:
    targets = sample(MultiBlockMaskSampler(), (14, 14)).targets
    assert targets.shape == (500, 4, 196)
    targets = targets.unflatten(2, (14, 14))
    heights, widths = targets.any(dim=3).sum(dim=2), targets.any(dim=2).sum(dim=2)
    areas = targets.sum(dim=(2, 3))
    assert torch.equal(heights * widths, areas)
    # Rounded sides: a block of 29.4 to 39.2 patches, 0.75 to 1.5 times as high as wide.
    assert set(heights.unique().tolist()) == {5, 6, 7, 8}
    assert set(widths.unique().tolist()) == {4, 5, 6, 7}
    assert areas.float().mean().item() == pytest.approx(0.175 * 196, rel=0.03)


def test_the_context_is_a_large_block_without_the_targets() -> None:
    masks = sample(MultiBlockMaskSampler(), (14, 14))
    block = sample(MultiBlockMaskSampler(num_targets=1, target_scale=(0.001, 0.001)), (14, 14)).context
    assert block.sum(dim=1).min() >= 169 - 1
    assert block.sum(dim=1).max() <= 196
    assert not (masks.context[:, None] & masks.targets).any()
    assert 60 < masks.context.sum(dim=1).float().mean() < 110
    assert masks.context.sum(dim=1).unique().numel() > 20


@pytest.mark.parametrize("grid", [(2, 2), (1, 3), (2, 1), (4, 4), (3, 12)])
def test_a_tiny_grid_keeps_a_context(grid: tuple[int, int]) -> None:
    masks = sample(MultiBlockMaskSampler(target_scale=(0.5, 0.9)), grid)
    assert masks.context.any(dim=1).all()
    assert masks.targets.any(dim=2).all()


def test_the_context_of_a_wide_grid_is_wide() -> None:
    block = sample(MultiBlockMaskSampler(num_targets=1, target_scale=(0.001, 0.001)), (6, 24)).context
    assert block.sum(dim=1).min() >= 0.8 * 144


@pytest.mark.parametrize("parameter", ["target_scale", "target_aspect_ratio", "context_scale"])
def test_an_interval_that_does_not_ascend_is_refused(parameter: str) -> None:
    with pytest.raises(ValueError, match=rf"{parameter} is \[0.5, 0.1\]"):
        MultiBlockMaskSampler(**{parameter: (0.5, 0.1)})


def test_a_single_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="1x1 patches are too few"):
        sample(MultiBlockMaskSampler(), (1, 1))
