"""Segmentation by the nearest neighbors of patches."""

from __future__ import annotations

import pytest
import torch

from sslreg import LabeledPatches
from sslreg.testing.tiny_components import make_labeled_patches, make_segmented_images
from sslreg_evaluators.dense_knn import DenseKNN


def test_patches_get_the_class_of_similar_patches(cpu) -> None:
    metrics = DenseKNN(per_class=True).evaluate_patches(make_labeled_patches(), make_segmented_images(), cpu)
    assert metrics["pixel_accuracy"] > 0.7
    assert metrics["miou"] == pytest.approx(sum(metrics[f"iou_{number}"] for number in range(4)) / 4)


def test_votes_are_weighted_by_similarity(cpu) -> None:
    images = make_segmented_images()[:1]
    direction = torch.nn.functional.normalize(images[0].features[0, 0, 0], dim=0)
    other = torch.nn.functional.normalize(direction.roll(1), dim=0)
    # One patch of class 2 in the same direction outvotes ten of class 1 in another one, unless the temperature is high.
    patches = LabeledPatches(torch.stack([direction, *[other] * 10]), torch.tensor([2] + [1] * 10), torch.arange(11))
    features = direction.expand(2, 4, 4, -1)
    images = [type(images[0])(features, torch.full((2, 8, 8), 2), images[0].indices, images[0].names)]
    for temperature, expected in ((0.02, 1.0), (100.0, 0.0)):
        found = DenseKNN(temperature=temperature).evaluate_patches(patches, images, cpu)
        assert found["pixel_accuracy"] == expected
