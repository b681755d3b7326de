"""Masks that follow the leading geometry of a view."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import sslreg
from sslreg import Sample, UserError
from sslreg.contracts import SampleKeys
from sslreg.views import SEGMENTATION_MASKS, Collate, Operation, SegmentationCollate, ViewPlan, move_masks


def plan(*components: tuple[str, dict[str, Any]]) -> ViewPlan:
    return ViewPlan([Operation(name, sslreg.build("augmentation", name, **params)) for name, params in components])


def numbered(height: int, width: int) -> torch.Tensor:
    """A mask whose values are all different."""
    return torch.arange(1000, 1000 + height * width).view(height, width)


@pytest.mark.parametrize(
    "operations",
    [
        [("resize", {"size": [5, 9], "interpolation": "nearest-exact"})],
        [("resize", {"size": 31, "interpolation": "nearest-exact"}), ("center_crop", {"size": 24})],
        [("center_crop", {"size": [6, 4]}), ("horizontal_flip", {}), ("rotate90", {})],
        [("random_resized_crop", {"size": 7, "interpolation": "nearest-exact"}), ("vertical_flip", {})],
    ],
)
def test_a_label_stays_with_its_pixel(operations: list[tuple[str, dict[str, Any]]]) -> None:
    view, keys = plan(*operations), SampleKeys.of_samples(3, [0, 0], [4, 9])
    masks = [numbered(16, 20), numbered(13, 11)]
    images = [mask[None] / 2000 for mask in masks]
    draws = view.draw(keys, 0, images)
    expected = view.run(images, draws, range(len(view.steps)))
    for moved, image in zip(move_masks(view, keys, masks), expected, strict=True):
        assert torch.equal(moved, (image[0] * 2000).round().long())


@pytest.mark.parametrize("size", [8, 12, 37])
def test_a_smooth_resize_takes_the_pixel_at_the_center_of_each_result(size: int) -> None:
    mask = numbered(24, 24)
    (moved,) = move_masks(plan(("resize", {"size": size})), SampleKeys.of_samples(0, [0], [0]), [mask])
    place = ((torch.arange(size) + 0.5) * 24 / size - 0.501).round().long().clamp(0, 23)
    inner = slice(1, -1)  # at the border, the filter is not symmetric
    assert torch.equal(moved[inner, inner], mask[place][:, place][inner, inner])
    assert ((moved - mask[place][:, place]).abs() <= 25).all()


@pytest.mark.parametrize("fill", [0.0, 0.5, 1.0])
def test_pixels_from_outside_of_the_image_are_ignored(fill: float) -> None:
    moving = plan(("affine", {"degrees": 0, "translate": [0.5, 0.5], "fill": fill, "interpolation": "bilinear"}))
    keys = SampleKeys.of_samples(0, [0] * 8, range(8))
    images = [torch.ones(1, 8, 8) * (0.0 if fill else 1.0)] * 8
    draws = moving.draw(keys, 0, images)
    shown = torch.stack(list(moving.run(images, draws, range(len(moving.steps)))))
    moved = torch.stack(move_masks(moving, keys, [torch.full((8, 8), 7, dtype=torch.uint8)] * 8))
    inside = (shown[:, 0] - fill).abs() > 0.5 * abs(images[0][0, 0, 0] - fill) + 0.01
    outside = (shown[:, 0] - fill).abs() < 0.01
    assert outside.any()
    assert (moved[inside] == 7).all()
    assert (moved[outside] == 255).all()


def test_the_masks_of_a_batch_are_those_of_its_views() -> None:
    view = plan(("resize", {"size": [6, 6]}), ("normalize", {"mean": [0.5], "std": [0.5]}))
    collate = SegmentationCollate.like(Collate([view], seed=1, channels=1))
    mask = torch.zeros(12, 12, dtype=torch.uint8)
    mask[:, 6:] = 3
    batch = collate([Sample((mask * 80)[None], lambda: mask, 0, 0)])
    masks = batch.extras[SEGMENTATION_MASKS]
    assert masks.dtype == torch.uint8
    assert torch.equal(masks[0], ((batch.views[0][0, 0] * 0.5 + 0.5) * 255 / 80).round().to(torch.uint8))
    assert batch.targets is None


def broken_mask() -> torch.Tensor:
    raise UserError("the mask a.png has colors")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.zeros(5, 4, dtype=torch.uint8), "has 4 × 4 pixels .* mask 5 × 4"),
        (broken_mask, "the mask a.png has colors"),
        (2, "sample 1 has no segmentation mask"),
    ],
)
def test_a_mask_that_does_not_fit_is_an_unreadable_image(target: Any, message: str) -> None:
    good = Sample(torch.ones(1, 4, 4), torch.ones(4, 4, dtype=torch.int64), 0, 0)
    bad = Sample(torch.ones(1, 4, 4), target, 1, 0)
    with pytest.raises(UserError, match=message):
        SegmentationCollate([ViewPlan([])])([good, bad])
    batch = SegmentationCollate([ViewPlan([])], on_error="skip")([good, bad])
    assert batch.indices.tolist() == [0, 0]
    assert batch.extras[SEGMENTATION_MASKS].shape == (2, 4, 4)
