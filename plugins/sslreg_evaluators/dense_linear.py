"""Segmentation by a linear classifier of patches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_evaluators._linear_classifier import HELD_OUT, Solver, fit_linear, hold_out_by_class
from sslreg_evaluators._segmentation_metrics import SegmentationCounts

#: The lowest score that is interpolated; the logarithm of a probability of 0 is not finite.
_LOWEST = -1e4


class DenseLinear(sslreg.PatchEvaluator):
    """Segmentation by a linear classifier of the patches of the frozen backbone.

    The classifier is that of `linear`, fitted on the patches of the reference set. Its penalty or its learning rate is
    chosen on the patches of a fifth of the images, drawn by numpy's ``default_rng(0)``; if that leaves too few classes,
    on a fifth of the patches of each class. Its scores are interpolated bilinearly between the centers of patches, and
    a pixel of the embedding view gets the class with the highest score.

    Metrics, with intervals from a bootstrap over test images:

    * ``miou``: the mean over classes of the intersection over union of predicted and actual pixels in the test set.
      Classes without a pixel in the test set are left out;
    * ``pixel_accuracy``: the share of pixels whose class is predicted;
    * ``iou_N`` for each class number N, with `per_class`.

    Args:
        solver: ``lbfgs``, ``sgd`` or ``auto``, as for `linear`.
        epochs: The epochs of ``sgd``.
        per_class: Whether to report the intersection over union of each class.

    Raises:
        ValueError: The reference set has a single class, or none of its classes has three patches.
    """

    def __init__(
        self,
        solver: Solver = "auto",
        epochs: Annotated[int, Field(ge=1)] = 50,
        per_class: bool = False,
    ) -> None:
        self.solver = solver
        self.epochs = epochs
        self.per_class = per_class

    def evaluate_patches(
        self, reference: sslreg.LabeledPatches, test: Iterable[sslreg.SegmentedImages], run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        classes, labels = torch.unique(reference.labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError("the reference set has a single class, so there is nothing to tell apart")
        held_out = _hold_out_images(labels, reference.indices)
        predict = fit_linear(reference.features, labels, held_out, self.solver, self.epochs, run.device)
        counts = SegmentationCounts()
        for images in test:
            scores = predict(images.features.flatten(0, 2)).clamp(min=_LOWEST).to(torch.float32)
            counts.add(scores.view(*images.features.shape[:3], -1), classes, images.masks)
        return counts.metrics(self.per_class)


def _hold_out_images(labels: Tensor, indices: Tensor) -> Tensor:
    """Choose the patches (N,), bool, of HELD_OUT of the images; of each class if the other images lack a class.

    Patches of an image resemble each other, so those of the images that are fitted would favor a weak penalty.
    """
    images = torch.unique(indices)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(images)))
    held_out = torch.isin(indices, images[order[: round(HELD_OUT * len(images))]])
    lacks_class = len(torch.unique(labels[~held_out])) < len(torch.unique(labels))
    return hold_out_by_class(labels) if lacks_class or not held_out.any() else held_out
