"""Samples to augment, and their keys."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sslreg.contracts import SampleKeys
from sslreg_augmentations import _kernel_dispatch


@pytest.fixture(autouse=True, params=["compiled", "torch"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs with the compiled kernels, and as if numba were not installed."""
    name: str = request.param
    if name == "torch":
        monkeypatch.setattr(_kernel_dispatch, "can_compile", lambda: False)
    return name


@pytest.fixture
def keys() -> Callable[..., SampleKeys]:
    """Keys of n samples of one operation."""

    def make(n: int) -> SampleKeys:
        return SampleKeys.of_samples(0, [0] * n, list(range(n))).for_operations([0], [("test", 0)])[0]

    return make


@pytest.fixture
def images() -> Tensor:
    """Eight smooth colored images with noise, (8, 3, 40, 32), in steps of 1/255."""
    generator = torch.Generator().manual_seed(0)
    smooth = interpolate(torch.rand(8, 3, 6, 5, generator=generator), (40, 32), mode="bicubic")
    noisy = smooth + 0.1 * torch.randn(smooth.shape, generator=generator)
    return (noisy.clamp(0, 1) * 255).round() / 255


@pytest.fixture
def shapes() -> Callable[..., Tensor]:
    """Shapes of n images of one size."""

    def make(n: int, channels: int = 3, height: int = 40, width: int = 32) -> Tensor:
        return torch.tensor([[channels, height, width]]).expand(n, 3)

    return make
