"""The baselines: raw pixels, projected if there are many, and the untrained model."""

from __future__ import annotations

import pytest
import torch

from sslreg.evaluation.raw_pixels import WIDEST, project_pixels, project_randomly


def test_few_pixels_are_features_as_they_are() -> None:
    images = torch.rand(2, 1, 32, 32)
    assert torch.equal(project_pixels(images), images.flatten(1))


@pytest.mark.parametrize("shape", [(3, 224, 224), (1, 33, 37)])
def test_many_pixels_are_projected_to_a_bounded_width(shape: tuple[int, ...]) -> None:
    images = torch.randint(256, (2, *shape), dtype=torch.uint8)
    features = project_pixels(images)
    assert features.shape == (2, WIDEST)
    assert torch.equal(features, torch.cat([project_pixels(images[:1]), project_pixels(images[1:])]))


def test_a_projection_keeps_inner_products() -> None:
    features = torch.randn(200, 5000, generator=torch.Generator().manual_seed(1))
    features = torch.nn.functional.normalize(features + features[:1], dim=1)
    projected = project_randomly(features, WIDEST)
    error = projected @ projected.T - features @ features.T
    # The standard deviation of one product is at most about the square root of 2 / WIDEST.
    assert error.abs().max() < 6 * (2 / WIDEST) ** 0.5
