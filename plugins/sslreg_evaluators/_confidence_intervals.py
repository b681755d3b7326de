"""Half-widths of 95 % confidence intervals, the ``_ci`` of a metric."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: The 97.5 % quantile of the normal distribution.
Z = 1.959963984540054

#: The number of bootstrap samples, each drawn with numpy's ``default_rng(0)``.
RESAMPLES = 1000


def proportion(name: str, hits: int, trials: int) -> dict[str, float]:
    """Return the proportion of hits under a name, with Wilson's interval."""
    return {name: hits / trials, f"{name}_ci": wilson_interval(hits / trials, trials)}


def wilson_interval(rate: float, trials: int) -> float:
    """Return half the width of Wilson's interval of a proportion (Wilson 1927, JASA 22).

    It is above zero for proportions of 0 and 1 too.
    """
    return Z / (1 + Z**2 / trials) * math.sqrt(rate * (1 - rate) / trials + Z**2 / (4 * trials**2))


def mean_interval(values: Floats) -> float:
    """Return half the width of Student's t interval of the mean of independent values (N,); 0 for a single value."""
    return t_quantile(len(values)) * standard_error(values)


def t_quantile(samples: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution for the mean of `samples` values."""
    from scipy.stats import t

    return float(t.ppf(0.975, samples - 1)) if samples > 1 else 0.0


def standard_error(values: Floats) -> float:
    """Return the standard error of the mean of independent values (N,)."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def percentile_interval(resampled: Floats) -> float:
    """Return half the distance between the 2.5 % and the 97.5 % quantile of a metric's bootstrap samples."""
    low, high = np.quantile(resampled, (0.025, 0.975))
    return float(high - low) / 2
