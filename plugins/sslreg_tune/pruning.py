"""Pruning: ending a trial that does not look promising."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sslreg_tune.trial_record import Origin
from sslreg_tune.trial_storage import StoredTrial

#: The number of other trials with a figure of the same epoch below which no trial is pruned.
MIN_TRIALS = 5
#: The share of the epochs before which no trial is pruned: early figures show how fast a trial starts.
WARMUP = 1 / 3


def is_unpromising(
    number: int,
    origin: Origin,
    intermediate: Mapping[int, float],
    trials: Sequence[StoredTrial],
    *,
    lowest: bool,
    max_epochs: int | None,
) -> bool:
    """Return whether a trial should end early: its best figure is worse than the median of the other trials.

    The others are those with a figure after the same epoch, pruned ones included. Optuna's ``MedianPruner`` compares
    with finished trials only. Here these are mostly trials of the design, which are spread over the whole space, so
    that hardly any trial of the search would be worse than their median. All trials have the same seed and share their
    random numbers: the same images in the same order, with the same draws. So figures of one epoch differ by the values
    of the trials more than by chance, and five of them are enough for a median.

    The starting spec, the design, comparisons and lists are never pruned, because effects are estimated from their last
    figures.

    Args:
        number: The number of the trial.
        origin: Where its values come from.
        intermediate: Its figures so far, by finished epochs.
        trials: All trials of the study.
        lowest: Whether the smallest figure is best.
        max_epochs: The number of epochs of a trial that is not pruned, None if it is unknown.
    """
    if origin != "search" or not intermediate:
        return False
    epoch = max(intermediate)
    if max_epochs is not None and epoch < WARMUP * max_epochs:
        return False
    others = [trial.intermediate[epoch] for trial in trials if trial.number != number and epoch in trial.intermediate]
    if len(others) < MIN_TRIALS:
        return False
    sign = -1 if lowest else 1
    return max(sign * figure for figure in intermediate.values()) < float(np.median(np.multiply(sign, others)))
