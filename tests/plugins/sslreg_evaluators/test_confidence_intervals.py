"""Confidence intervals, against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sslreg_evaluators._confidence_intervals import mean_interval, percentile_interval, proportion, wilson_interval


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (7, 10), (431, 449), (449, 449)])
def test_wilsons_interval_is_scipys(hits: int, trials: int) -> None:
    low, high = stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    assert wilson_interval(hits / trials, trials) == pytest.approx((high - low) / 2)
    assert proportion("top1", hits, trials) == {
        "top1": hits / trials,
        "top1_ci": wilson_interval(hits / trials, trials),
    }


def test_the_interval_of_a_mean_is_scipys_of_a_t_test() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 12)
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((high - low) / 2)


def test_one_value_has_no_interval() -> None:
    assert mean_interval(np.array([0.5])) == 0.0


def test_percentiles_of_a_bootstrap_are_those_of_its_distribution() -> None:
    values = np.random.default_rng(0).normal(0.0, 1.0, 100_000)
    assert percentile_interval(values) == pytest.approx(1.96, abs=0.03)
