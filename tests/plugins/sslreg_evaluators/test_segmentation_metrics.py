"""The mean IoU and the pixel accuracy, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from sslreg_evaluators._segmentation_metrics import SegmentationCounts, count_pixels


def segment(
    predicted: torch.Tensor, actual: torch.Tensor, per_class: bool = False, classes: int = 4
) -> dict[str, float]:
    """The metrics of predicted pixels, each of which is a patch."""
    counts = SegmentationCounts()
    counts.add(one_hot(predicted, classes).float(), torch.arange(classes), actual)
    return counts.metrics(per_class)


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Classes of 30 images of 6 x 5 pixels as predicted, half of which are right, and the actual ones."""
    generator = torch.Generator().manual_seed(0)
    actual, noise = torch.randint(4, (2, 30, 6, 5), generator=generator)
    predicted = actual.where(torch.rand(30, 6, 5, generator=generator) < 0.5, noise)
    actual[torch.rand(30, 6, 5, generator=generator) < 0.1] = 255
    return predicted, actual


def test_metrics_equal_those_of_torchmetrics(pair) -> None:
    metrics = pytest.importorskip("torchmetrics.classification")
    predicted, actual = pair
    found = segment(predicted, actual, per_class=True)
    expected = metrics.MulticlassJaccardIndex(4, average="none", ignore_index=255)(predicted, actual).double()
    assert [found[f"iou_{number}"] for number in range(4)] == pytest.approx(expected.tolist(), abs=1e-6)
    assert found["miou"] == pytest.approx(expected.mean().item(), abs=1e-6)
    accuracy = metrics.MulticlassAccuracy(4, average="micro", ignore_index=255)(predicted, actual)
    assert found["pixel_accuracy"] == pytest.approx(accuracy.item(), abs=1e-6)


def test_a_class_without_a_pixel_in_the_test_set_is_left_out() -> None:
    actual = torch.tensor([[[0, 0, 1, 1]]])
    predicted = torch.tensor([[[0, 3, 1, 1]]])
    metrics = segment(predicted, actual, per_class=True)
    assert metrics["miou"] == pytest.approx((1 / 2 + 1) / 2)
    assert {name for name in metrics if name.startswith("iou") and not name.endswith("_ci")} == {"iou_0", "iou_1"}


def test_a_class_that_the_reference_set_lacks_counts_as_missed() -> None:
    metrics = segment(torch.zeros(1, 1, 4, dtype=torch.int64), torch.tensor([[[0, 0, 7, 7]]]))
    assert metrics["miou"] == pytest.approx((2 / 4 + 0) / 2)


def test_counts_of_ignored_pixels_are_zero() -> None:
    counts = count_pixels(torch.tensor([[[1, 0]], [[1, 1]]]), torch.tensor([[[1, 255]], [[0, 255]]]))
    assert counts.tolist() == [[[0, 1], [0, 1], [0, 1]], [[0, 0], [0, 1], [1, 0]]]
    with pytest.raises(ValueError, match="all pixels of the test set are ignored"):
        segment(torch.zeros(2, 1, 1, dtype=torch.int64), torch.full((2, 1, 1), 255))


def test_scores_are_interpolated_between_patches() -> None:
    counts = SegmentationCounts()
    scores = torch.tensor([[[[0.0, 1.0], [0.9, 0.0]]]])  # one row of two patches
    counts.add(scores, torch.tensor([5, 6]), torch.tensor([[[6, 6, 6, 6, 5, 5, 5, 5]] * 4]))
    # The classes change a little to the right of the middle, since the left patch is surer.
    assert counts.metrics(per_class=False)["pixel_accuracy"] == 1.0


def test_intervals_cover_the_choice_of_images(pair) -> None:
    predicted, actual = pair
    metrics = segment(predicted, actual)
    by_image = [float((p == a).sum()) / float((a != 255).sum()) for p, a in zip(predicted, actual, strict=True)]
    assert metrics["pixel_accuracy_ci"] == pytest.approx(1.96 * np.std(by_image) / 30**0.5, rel=0.2)
    assert 0 < metrics["miou_ci"] < 0.1
    repeated = segment(predicted.repeat(9, 1, 1), actual.repeat(9, 1, 1))
    assert repeated["miou"] == pytest.approx(metrics["miou"])
    assert repeated["miou_ci"] == pytest.approx(metrics["miou_ci"] / 3, rel=0.2)
