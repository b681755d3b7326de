"""The mean IoU and the pixel accuracy of predicted segmentations, with their intervals over images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate, pad

import sslreg
from sslreg_evaluators._confidence_intervals import RESAMPLES, Floats, percentile_interval

#: The largest number of scores (images x classes x height x width) that are upsampled at a time.
_SCORES = 2**24


class SegmentationCounts:
    """Counts of the pixels of each class, by image: correct, predicted and actual ones.

    Pixels with the value 255 in the mask do not count.
    """

    def __init__(self) -> None:
        self._counts: list[Tensor] = []

    def add(self, scores: Tensor, classes: Tensor, masks: Tensor) -> None:
        """Add images.

        Args:
            scores: float (N, rows, columns, K), the scores of K classes for each patch. They are interpolated
                bilinearly between the centers of patches, and a pixel gets the class with the highest score.
            classes: int64 (K,), the numbers of the classes.
            masks: the actual classes (N, H, W).
        """
        images = max(1, _SCORES // (len(classes) * masks[0].numel()))
        for part, actual in zip(torch.split(scores, images), torch.split(masks, images), strict=True):
            upsampled = interpolate(part.permute(0, 3, 1, 2), actual.shape[1:], mode="bilinear", align_corners=False)
            self._counts.append(count_pixels(classes.to(part.device)[upsampled.argmax(dim=1)].cpu(), actual.long()))

    def metrics(self, per_class: bool) -> dict[str, float]:
        """Return ``miou`` and ``pixel_accuracy``, and the IoU of each class if asked for, with their intervals.

        The intervals come from a bootstrap over images.

        Raises:
            ValueError: All pixels are ignored.
        """
        classes = max((counts.shape[2] for counts in self._counts), default=0)
        by_image = torch.cat([pad(counts, (0, classes - counts.shape[2])) for counts in self._counts]).double().numpy()
        if not by_image[:, 2].any():
            raise ValueError("all pixels of the test set are ignored")
        generator = np.random.default_rng(0)
        rows = (generator.integers(0, len(by_image), len(by_image)) for _ in range(RESAMPLES))
        weights = (np.bincount(row, minlength=len(by_image)) for row in rows)
        flat = by_image.reshape(len(by_image), -1)
        resampled = np.stack([(weight @ flat).reshape(by_image.shape[1:]) for weight in weights])
        total = by_image.sum(axis=0)
        metrics: dict[str, float] = {}
        for name, measure in (("miou", mean_iou), ("pixel_accuracy", pixel_accuracy)):
            samples = measure(resampled)
            metrics |= {name: float(measure(total)), f"{name}_ci": percentile_interval(samples[~np.isnan(samples)])}
        for number in np.flatnonzero(total[2]) if per_class else ():
            values = iou(resampled)[:, number]
            metrics[f"iou_{number}"] = float(iou(total)[number])
            metrics[f"iou_{number}_ci"] = percentile_interval(values[~np.isnan(values)])
        return metrics


def count_pixels(predicted: Tensor, actual: Tensor) -> Tensor:
    """Return the numbers of correct, predicted and actual pixels of each class in images: int64 (N, 3, classes).

    Args:
        predicted: int64 (N, H, W), the predicted classes.
        actual: int64 (N, H, W), the actual classes; 255 is ignored in both.
    """
    counted = actual != sslreg.IGNORED_PIXEL
    classes = 1 + max((int(part[counted].max()) for part in (predicted, actual)) if counted.any() else [0])
    image = torch.arange(len(actual))[:, None, None].expand_as(actual)

    def count(labels: Tensor, selected: Tensor) -> Tensor:
        cells = (image * classes + labels)[selected & counted]
        return torch.bincount(cells, minlength=len(actual) * classes).view(len(actual), classes)

    everywhere = torch.ones_like(counted)
    return torch.stack(
        [count(actual, predicted == actual), count(predicted, everywhere), count(actual, everywhere)], dim=1
    )


def iou(counts: NDArray[np.float64]) -> Floats:
    """Return the intersection over union of each class: (…, 3, classes) to (…, classes).

    It is NaN for a class that no pixel has. Where it is predicted, the union of the pixel's actual class counts it.
    """
    correct, predicted, actual = np.moveaxis(counts, -2, 0)
    union = predicted + actual - correct
    return _divide(correct, union, actual > 0)


def mean_iou(counts: NDArray[np.float64]) -> Floats:
    """Return the mean of `iou` over the classes that some pixel has; NaN if none has one."""
    values = iou(counts)
    known = (~np.isnan(values)).sum(axis=-1)
    return _divide(np.nansum(values, axis=-1), known, known > 0)


def pixel_accuracy(counts: NDArray[np.float64]) -> Floats:
    """Return the share of pixels whose class is predicted; NaN if there is no pixel."""
    correct, actual = counts[..., 0, :].sum(axis=-1), counts[..., 2, :].sum(axis=-1)
    return _divide(correct, actual, actual > 0)


def _divide(numerator: Any, denominator: Any, defined: Any) -> Floats:
    """Return the quotients, NaN where they are not defined."""
    quotients: Floats = np.divide(numerator, denominator, out=np.full(np.shape(denominator), np.nan), where=defined)
    return quotients
