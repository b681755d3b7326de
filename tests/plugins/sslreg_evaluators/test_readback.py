"""Reading back what was drawn, against scikit-learn's ridge regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sslreg_evaluators._readback import PENALTIES, predict_by_ridge, read_back


def data(samples: int, width: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(samples, width, generator=generator, dtype=torch.float64) * torch.linspace(0.1, 3, width)
    weights = torch.randn(width, 2, generator=generator, dtype=torch.float64)
    return inputs, inputs @ weights + noise * torch.randn(samples, 2, generator=generator, dtype=torch.float64) + 5


@pytest.mark.parametrize(("samples", "width"), [(60, 12), (40, 100)])
@pytest.mark.parametrize("noise", [0.01, 10.0])
def test_ridge_regression_is_scikit_learns(samples: int, width: int, noise: float) -> None:
    inputs, outputs = data(samples + 15, width, noise)
    peer = make_pipeline(StandardScaler(), RidgeCV(PENALTIES)).fit(inputs[:samples].numpy(), outputs[:samples].numpy())
    predicted = predict_by_ridge(inputs[:samples], outputs[:samples], inputs[samples:])
    np.testing.assert_allclose(predicted.numpy(), peer.predict(inputs[samples:].numpy()), rtol=1e-6, atol=1e-8)


def test_a_constant_input_predicts_nothing() -> None:
    predicted = predict_by_ridge(
        torch.ones(20, 1).double(), torch.arange(20.0).double()[:, None], torch.ones(3, 1).double()
    )
    torch.testing.assert_close(predicted, torch.full((3, 1), 9.5, dtype=torch.float64))


def test_what_moves_embeddings_along_a_line_is_read_back() -> None:
    generator = torch.Generator().manual_seed(0)
    before, direction = torch.randn(200, 6, generator=generator), torch.randn(6, generator=generator)
    angle = torch.rand(200, generator=generator) * 90
    after = before + angle[:, None] * direction + 0.01 * torch.randn(200, 6, generator=generator)
    params = {"angle": angle, "order": torch.arange(200), "scale": torch.ones(200)}
    figures = read_back(before, after, params)
    assert figures["readback"] > 0.99
    assert figures["readback_ci"] < 0.01


def test_what_leaves_no_trace_is_not_read_back() -> None:
    generator = torch.Generator().manual_seed(0)
    before, angle = torch.randn(200, 6, generator=generator), torch.rand(200, generator=generator)
    figures = read_back(before, before, {"angle": angle})
    assert figures["readback"] == pytest.approx(0.0, abs=0.1)


def test_without_numbers_that_vary_there_is_nothing_to_read() -> None:
    before = torch.randn(50, 3)
    assert read_back(before, before, {}) == {}
    assert read_back(before, before, {"turns": torch.arange(50), "scale": torch.ones(50)}) == {}
    assert read_back(before[:9], before[:9], {"angle": torch.arange(9.0)}) == {}
