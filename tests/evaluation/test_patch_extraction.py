"""Features of patches, with labels from masks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sslreg import UserError
from sslreg.assembly import SampleDataset
from sslreg.evaluation import patch_extraction
from sslreg.evaluation.patch_extraction import PatchExtractor, majority_labels
from sslreg.views import Collate, SegmentationCollate, ViewPlan


def test_a_patch_has_the_class_of_most_of_its_pixels() -> None:
    mask = torch.tensor(
        [
            [1, 1, 255, 255, 3, 0],
            [2, 1, 255, 255, 0, 3],
            [255, 255, 4, 255, 9, 9],
            [255, 5, 255, 255, 9, 2],
        ]
    )
    labels = majority_labels(torch.stack([mask, mask.flip(0)]), 2, 3)
    assert labels[0].tolist() == [[1, -1, 0], [5, 4, 9]]
    assert labels[1].tolist() == [[5, 4, 9], [1, -1, 0]]


def extractor(
    images: list[Tensor], masks: list[Tensor], on_error: str = "raise"
) -> tuple[PatchExtractor, SampleDataset]:
    """An extractor of the mean levels of patches of 2 x 2 pixels, and its data."""

    def average(batch: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(batch, 2).permute(0, 2, 3, 1)

    collate = SegmentationCollate.like(Collate([ViewPlan([])], seed=5, on_error=on_error))
    return PatchExtractor(collate, average, torch.device("cpu"), 0), SampleDataset(
        list(zip(images, masks, strict=True))
    )


def pictures(count: int) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    images = list(torch.rand(count, 1, 8, 8, generator=generator))
    return images, list(torch.randint(3, (count, 8, 8), generator=generator))


def test_every_labeled_patch_of_a_small_set_is_returned() -> None:
    images, masks = pictures(3)
    masks[1][:2] = 255
    patches = PatchExtractor.labeled_patches(*extractor(images, masks))
    assert patches.indices.bincount().tolist() == [16, 12, 16]
    for features, label, index in zip(patches.features, patches.labels, patches.indices, strict=True):
        levels = torch.nn.functional.avg_pool2d(images[index], 2)[0]
        row, column = (levels == features).nonzero()[0].tolist()
        assert label == majority_labels(masks[index][None], 4, 4)[0, row, column]


def test_the_patches_of_a_large_set_are_drawn_by_image_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    images, masks = pictures(4)
    monkeypatch.setattr(patch_extraction, "MAX_REFERENCE_PATCHES", 20)
    whole = PatchExtractor.labeled_patches(*extractor(images, masks))
    assert whole.indices.bincount().tolist() == [5, 5, 5, 5]
    monkeypatch.setattr(patch_extraction, "BATCH_SIZE", 3)
    again = PatchExtractor.labeled_patches(*extractor(images, masks))
    assert torch.equal(whole.features, again.features)
    assert torch.equal(whole.labels, again.labels)
    assert not torch.equal(whole.features[:5], torch.nn.functional.avg_pool2d(images[0], 2).flatten()[:5, None])


def test_unreadable_masks_are_left_out_if_the_spec_skips_such() -> None:
    images, masks = pictures(3)
    masks[1] = masks[1][:4]
    run, samples = extractor(images, masks, on_error="skip")
    (batch,) = run.segmented_images(samples)
    assert batch.indices.tolist() == [0, 2]
    assert torch.equal(batch.masks, torch.stack([masks[0], masks[2]]))
    with pytest.raises(UserError, match="segmentation mask 4 × 8"):
        list(PatchExtractor.segmented_images(*extractor(images, masks)))


def test_a_set_without_labels_is_refused() -> None:
    images, masks = pictures(1)
    with pytest.raises(UserError, match="all pixels of the reference set are ignored"):
        PatchExtractor.labeled_patches(*extractor(images, [torch.full_like(masks[0], 255)]))


def test_the_checksum_depends_on_the_masks() -> None:
    images, masks = pictures(2)
    checksums = set()
    for value in (0, 1):
        masks[1][0, 0] = value
        run, samples = extractor(images, masks)
        run.checksum = 0
        list(run.segmented_images(samples))
        checksums.add(run.checksum)
    assert len(checksums) == 2
