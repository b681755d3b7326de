import pytest
import torch
from scipy import stats

from sslreg_augmentations.gaussian_noise import GaussianNoise


def test_noise_is_normal_with_its_deviation() -> None:
    images = torch.full((2, 3, 60, 60), 0.5)
    noise = GaussianNoise(0.05).apply(images, {"seed": torch.tensor([1, 2])}) - images
    assert stats.kstest(noise.flatten().double(), stats.norm(0, 0.05).cdf).pvalue > 1e-3


def test_no_deviation_is_no_noise() -> None:
    images = torch.rand(2, 3, 6, 6)
    assert torch.equal(GaussianNoise(0.0).apply(images, {"seed": torch.tensor([1, 2])}), images)


def test_levels_are_clamped_as_torchvisions_are() -> None:
    result = GaussianNoise(2.0).apply(torch.full((1, 1, 50, 50), 0.5), {"seed": torch.tensor([1])})
    assert result.min() == 0
    assert result.max() == 1
    assert ((result > 0) & (result < 1)).float().mean() == pytest.approx(0.197, abs=0.03)
