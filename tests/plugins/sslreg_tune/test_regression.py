"""The posterior of a linear model against least squares, and with more factors than observations."""

from __future__ import annotations

import numpy as np

from sslreg_tune.regression import draw_coefficients


def test_many_observations_give_the_coefficients_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    main, other = rng.choice([-0.5, 0.5], (300, 3)), rng.random((300, 1)) - 0.5
    outcome = main @ [0.3, -0.2, 0.0] + 0.1 * other[:, 0] + rng.normal(0, 0.05, 300)
    draws = draw_coefficients(outcome, main, other)
    columns = np.hstack([np.ones((300, 1)), main, other])
    expected = np.linalg.lstsq(columns, outcome)[0][1:]
    errors = 0.05 * np.sqrt(np.diag(np.linalg.inv(columns.T @ columns)))[1:]
    np.testing.assert_allclose(draws.mean(axis=0), expected, atol=0.012)
    # Student's t takes some of the Gaussian errors for outliers, which makes it a little too certain.
    np.testing.assert_allclose(draws.std(axis=0) / errors, 0.95, atol=0.15)


def test_there_may_be_more_factors_than_observations() -> None:
    rng = np.random.default_rng(0)
    main = rng.choice([-0.5, 0.5], (10, 14))
    draws = draw_coefficients(0.4 * main[:, 0], main, np.empty((10, 0)))
    assert np.isfinite(draws).all()
    assert draws.mean(axis=0).argmax() == 0


def test_the_same_data_give_the_same_draws_in_any_unit() -> None:
    rng = np.random.default_rng(0)
    main, outcome = rng.choice([-0.5, 0.5], (12, 4)), rng.normal(size=12)
    draws = draw_coefficients(outcome, main, np.empty((12, 0)))
    np.testing.assert_array_equal(draws, draw_coefficients(outcome, main, np.empty((12, 0))))
    np.testing.assert_allclose(1000 * draws, draw_coefficients(1000 * outcome - 7, main, np.empty((12, 0))), rtol=1e-6)
