"""Mean average precision, for images with several labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sslreg_evaluators._confidence_intervals import Floats, Z

#: The number of bootstrap samples. Their standard deviation needs fewer than their quantiles would.
RESAMPLES = 200

#: The largest number of weights (bootstrap samples x test samples) that are computed at a time.
_WEIGHTS = 2**22


def mean_average_precision(scores: Tensor, targets: Tensor) -> dict[str, float]:
    """Return ``map`` with its interval: the mean over classes of the average precision of their scores.

    Classes without a positive sample are left out. The interval is 1.96 standard deviations over bootstrap samples of
    the test set, with fixed scores.

    Args:
        scores: The score of each sample for each class (N, C).
        targets: Which classes a sample has (N, C), bool.

    Raises:
        ValueError: No class has a positive sample.
    """
    rankings = _rank_classes(scores, targets)
    if not rankings:
        raise ValueError("no sample of the test set has a label")
    generator, resampled, samples = np.random.default_rng(0), [], len(targets)
    rows = max(1, _WEIGHTS // samples)
    for start in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - start)
        weights = generator.multinomial(samples, np.full(samples, 1 / samples), count).astype(np.float64)
        resampled.append(_mean_of_known([ranking.average_precision(weights) for ranking in rankings]))
    interval = Z * float(np.nanstd(np.concatenate(resampled), ddof=1))
    return {"map": _mean_precision(rankings), "map_ci": interval}


def rate_scores(scores: Tensor, labels: Tensor) -> float:
    """Return how well scores (N, C) predict labels: the accuracy for (N,), the mean average precision for (N, C).

    Without a positive sample, or if a score is not finite, it is 0.
    """
    if labels.ndim == 1:
        return float((scores.argmax(dim=1) == labels).double().mean())
    if not (labels.any() and scores.isfinite().all()):
        return 0.0
    return _mean_precision(_rank_classes(scores, labels))


def _rank_classes(scores: Tensor, targets: Tensor) -> list[_Ranking]:
    """Return a ranking for each class with a positive sample."""
    truth = targets.numpy()
    return [_Ranking(scores[:, c].double().numpy(), truth[:, c]) for c in np.flatnonzero(truth.any(axis=0))]


def _mean_precision(rankings: list[_Ranking]) -> float:
    return float(np.mean([ranking.average_precision()[0] for ranking in rankings]))


def _mean_of_known(precisions: list[Floats]) -> Floats:
    """Return the mean (R,) over classes, without those that a bootstrap sample has no positive of."""
    stacked = np.stack(precisions)
    known = np.isfinite(stacked)
    total, count = np.where(known, stacked, 0.0).sum(axis=0), known.sum(axis=0)
    mean: Floats = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return mean


class _Ranking:
    """The samples in the order of their scores for a class.

    Args:
        scores: The scores (N,).
        truth: Which samples are positive (N,), bool.
    """

    def __init__(self, scores: Floats, truth: NDArray[np.bool_]) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = -scores[self._order]
        self._positives = np.flatnonzero(truth[self._order])
        # Samples with equal scores share the precision after the last of them.
        self._ends = np.searchsorted(ordered, ordered[self._positives], side="right") - 1

    def average_precision(self, weights: Floats | None = None) -> Floats:
        """Return the average precision (R,) for R weightings (R, N) of the samples; nan without a positive.

        Without weights, all samples count once (R = 1).

        It is the sum over thresholds of the precision times the increase of the recall, as in scikit-learn, which is
        the mean over positive samples of the precision at their score.
        """
        ordered = np.ones((1, len(self._order))) if weights is None else weights[:, self._order]
        positive = ordered[:, self._positives]
        all_above = ordered.cumsum(axis=1)[:, self._ends]
        # Of the positives, those up to the end of each tie.
        last = np.searchsorted(self._positives, self._ends, side="right") - 1
        positive_above = positive.cumsum(axis=1)[:, last]
        precision = np.divide(positive_above, all_above, out=np.zeros_like(all_above), where=all_above > 0)
        total = positive.sum(axis=1)
        result: Floats = np.divide(
            (positive * precision).sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0
        )
        return result
