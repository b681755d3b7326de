"""Nearest-neighbor segmentation by features of patches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field

import sslreg
from sslreg_evaluators._segmentation_metrics import SegmentationCounts


class DenseKNN(sslreg.PatchEvaluator):
    """Segmentation by the nearest neighbors of patches among the patches of the reference set (arXiv 2306.01667).

    Each of the k reference patches that are most similar to a test patch, with cosine similarity s, votes for its class
    with weight exp(s / temperature). The shares of the classes are interpolated bilinearly between the centers of
    patches, and a pixel of the embedding view gets the class with the largest share.

    Metrics, with intervals from a bootstrap over test images:

    * ``miou``: the mean over classes of the intersection over union of predicted and actual pixels in the test set.
      Classes without a pixel in the test set are left out;
    * ``pixel_accuracy``: the share of pixels whose class is predicted;
    * ``iou_N`` for each class number N, with `per_class`.

    Args:
        k: The number of neighbors, at most the number of reference patches.
        temperature: What similarities are divided by: a lower one weights the nearest neighbors more.
        per_class: Whether to report the intersection over union of each class.
    """

    def __init__(
        self,
        k: Annotated[int, Field(ge=1)] = 30,
        temperature: Annotated[float, Field(gt=0)] = 0.02,
        per_class: bool = False,
    ) -> None:
        self.k = k
        self.temperature = temperature
        self.per_class = per_class

    def evaluate_patches(
        self, reference: sslreg.LabeledPatches, test: Iterable[sslreg.SegmentedImages], run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        classes, labels = torch.unique(reference.labels, return_inverse=True)
        k, counts = min(self.k, len(reference)), SegmentationCounts()
        keys = reference.features.to(run.device)
        for images in test:
            patches = images.features.flatten(0, 2)
            similarities, neighbors = sslreg.nearest_neighbors(patches, keys, k, device=run.device)
            weights = (similarities / self.temperature).softmax(dim=1)
            shares = torch.zeros(len(patches), len(classes)).scatter_add_(1, labels[neighbors], weights)
            counts.add(shares.view(*images.features.shape[:3], -1), classes, images.masks)
        return counts.metrics(self.per_class)
