"""Extracts features of patches, with their labels, from data sets whose targets are segmentation masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sslreg.assembly import SampleDataset
from sslreg.contracts import IGNORED_PIXEL, LabeledPatches, SampleKeys, SegmentedImages
from sslreg.errors import UserError
from sslreg.evaluation.checksum import checksum_tensor
from sslreg.evaluation.embedding import extract_features
from sslreg.views import SEGMENTATION_MASKS, SegmentationCollate

#: The number of images whose patches are embedded at once: those of 64 images of 224 x 224 pixels, 16 x 16 patches and
#: width 768 take 38 MB.
BATCH_SIZE = 64

#: The largest number of patches of the reference set, unless it has more images: 201 MB for width 768. Of more patches,
#: the same number is drawn at random from each image.
MAX_REFERENCE_PATCHES = 65_536


@dataclass
class PatchExtractor:
    """Extracts features of patches.

    Attributes:
        collate: makes the single view that is embedded, and its masks.
        function: computes features (N, rows, columns, D) of images (N, C, H, W) on `device`.
        device: where features are computed.
        workers: the number of processes that load images.
        report: called with the number of images that have been embedded.
        mean: a mean (D,) that is subtracted from the features.
        checksum: a checksum of the images, masks and indices of all batches; None if it is not computed.
    """

    collate: SegmentationCollate
    function: Callable[[Tensor], Tensor]
    device: torch.device
    workers: int
    report: Callable[[int], None] | None = None
    mean: Tensor | None = None
    checksum: int | None = None

    def segmented_images(self, samples: SampleDataset) -> Iterator[SegmentedImages]:
        """Yield the readable images of a data set in batches, none of which is empty."""
        batches = extract_features(
            samples, self.collate, self.function, device=self.device, batch_size=BATCH_SIZE, workers=self.workers
        )
        done = 0
        for features, batch, readable in batches:
            masks = batch.extras[SEGMENTATION_MASKS]
            if self.checksum is not None:
                for tensor in (batch.views[0], masks, batch.indices):
                    self.checksum = checksum_tensor(tensor, self.checksum)
            done += len(batch)
            if self.report is not None:
                self.report(done)
            if readable.any():
                indices = batch.indices[readable]
                features = features if self.mean is None else features - self.mean
                names = [samples.name(int(index)) for index in indices]
                yield SegmentedImages(features[readable], masks[readable], indices, names)

    def labeled_patches(self, samples: SampleDataset) -> LabeledPatches:
        """Return labeled patches of a data set, at most `MAX_REFERENCE_PATCHES` unless it has more images.

        Which patches of an image are drawn depends on the run's seed and on the image alone.

        Raises:
            UserError: the masks have ignored pixels only.
        """
        most = max(1, MAX_REFERENCE_PATCHES // len(samples))
        parts = [_draw_patches(images, self.collate.seed, most) for images in self.segmented_images(samples)]
        patches = LabeledPatches(
            *(torch.cat(columns) for columns in zip(*((p.features, p.labels, p.indices) for p in parts), strict=True))
        )
        if not len(patches):
            raise UserError(f"all pixels of the reference set are ignored ({IGNORED_PIXEL})", code="no-labels")
        return patches


def _draw_patches(images: SegmentedImages, seed: int, most: int) -> LabeledPatches:
    """Draw up to `most` labeled patches of each image."""
    count, rows, columns, _ = images.features.shape
    labels = majority_labels(images.masks, rows, columns).flatten(1)
    keys = SampleKeys.of_samples(seed, [0] * count, images.indices.tolist()).child("reference patches")
    order = keys.permutation(rows * columns)
    is_labeled = labels.gather(1, order) >= 0
    image, place = (is_labeled & (is_labeled.cumsum(dim=1) <= most)).nonzero(as_tuple=True)
    patch = order[image, place]
    return LabeledPatches(images.features.flatten(1, 2)[image, patch], labels[image, patch], images.indices[image])


def majority_labels(masks: Tensor, rows: int, columns: int) -> Tensor:
    """Return the class of most pixels of each patch, of equals the lowest: int64 (N, rows, columns).

    Args:
        masks: (N, H, W), where H is a multiple of `rows` and W of `columns`. Pixels with the value 255 do not count; a
            patch without others gets -1.
        rows: the number of rows of patches.
        columns: the number of columns of patches.
    """
    count, height, width = masks.shape
    squares = masks.long().view(count, rows, height // rows, columns, width // columns).permute(0, 1, 3, 2, 4)
    pixels = squares.flatten(3).flatten(0, 2)
    is_known = pixels != IGNORED_PIXEL
    classes = int(pixels.where(is_known, torch.zeros(())).max()) + 1
    votes = torch.zeros(len(pixels), classes, dtype=torch.int32)
    votes.scatter_add_(1, pixels.where(is_known, torch.zeros((), dtype=torch.int64)), is_known.int())
    most, labels = votes.max(dim=1)
    return labels.where(most > 0, -1).view(count, rows, columns)
