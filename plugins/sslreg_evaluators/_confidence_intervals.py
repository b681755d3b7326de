"""Half-widths of 95 % confidence intervals, the ``_ci`` beside a figure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: The normal distribution's 97.5 % quantile.
Z = 1.959963984540054

#: How many samples of a bootstrap, each with numpy's ``default_rng(0)``.
RESAMPLES = 1000


def share(name: str, hits: int, trials: int) -> dict[str, float]:
    """A share of trials under its name, with its interval."""
    return {name: hits / trials, f"{name}_ci": wilson(hits / trials, trials)}


def wilson(rate: float, trials: int) -> float:
    """Half the width of Wilson's interval of a share (Wilson 1927, JASA 22); above zero at shares of 0 and 1 too."""
    return Z / (1 + Z**2 / trials) * math.sqrt(rate * (1 - rate) / trials + Z**2 / (4 * trials**2))


def of_mean(values: Floats) -> float:
    """Of the mean of independent values (N,), by Student's t; 0 for a single one, whose spread nobody knows."""
    return student(len(values)) * standard_error(values)


def student(samples: int) -> float:
    """The 97.5 % quantile of Student's t for the mean of so many samples."""
    from scipy.stats import t

    return float(t.ppf(0.975, samples - 1)) if samples > 1 else 0.0


def standard_error(values: Floats) -> float:
    """Of the mean of independent values (N,)."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def percentile_width(resampled: Floats) -> float:
    """Half the distance between the 2.5 % and the 97.5 % quantile of a figure's bootstrap samples."""
    low, high = np.quantile(resampled, (0.025, 0.975))
    return float(high - low) / 2
