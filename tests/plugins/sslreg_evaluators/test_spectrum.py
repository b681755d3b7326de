"""The spectrum, against numpy's singular values in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sslreg_evaluators.spectrum import Spectrum


@pytest.mark.parametrize("shape", [(200, 24), (16, 40)])
def test_figures_are_those_of_numpys_singular_values(embeddings, cpu, shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    features = (generator.normal(size=shape) * np.linspace(0.1, 3, shape[1]) + 0.5).astype(np.float32)
    values = np.linalg.svd(features.astype(np.float64), compute_uv=False)
    shares = values / values.sum() + 1e-7
    centered = np.linalg.svd(features.astype(np.float64) - features.mean(axis=0), compute_uv=False)

    figures = Spectrum().evaluate(embeddings(torch.from_numpy(features), None), None, cpu)

    assert figures["rankme"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)
    assert figures["rankme_share"] == pytest.approx(figures["rankme"] / min(shape))
    assert figures["first_variance"] == pytest.approx(centered[0] ** 2 / (centered**2).sum(), rel=1e-4)
    assert {name: value for name, value in figures.items() if name.startswith("value")} == pytest.approx(
        {f"value_{n}": values[n - 1] / values[0] for n in (2, 4, 8, 16) if n <= min(shape)}, rel=1e-5
    )


def test_embeddings_on_one_line_have_rank_one(embeddings, cpu) -> None:
    line = torch.linspace(1, 2, 50)[:, None] * torch.randn(1, 8, generator=torch.Generator().manual_seed(0))
    figures = Spectrum().evaluate(embeddings(line, None), None, cpu)
    assert figures["rankme"] == pytest.approx(1.0, abs=1e-3)
    assert figures["first_variance"] == pytest.approx(1.0, abs=1e-3)


def test_embeddings_that_are_all_zero_give_figures(embeddings, cpu) -> None:
    figures = Spectrum().evaluate(embeddings(torch.zeros(10, 4), None), None, cpu)
    assert all(np.isfinite(value) for value in figures.values())
