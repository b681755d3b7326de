from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from sslreg.contracts import SampleKeys
from sslreg_augmentations.normalize import STATISTICS, Normalize


@pytest.mark.parametrize("stats", ["imagenet", "cifar10", "cifar100", "half", "mnist"])
def test_it_is_torchvisions(images: Tensor, stats: Any) -> None:
    mean, std = STATISTICS[stats]
    assert torch.allclose(Normalize(stats).apply(images, {}), tv.normalize(images, list(mean), list(std)), atol=1e-5)


def test_numbers_may_be_given_for_each_channel_or_for_all() -> None:
    images = torch.rand(2, 13, 4, 4)
    assert torch.allclose(Normalize(mean=0.5, std=0.25).apply(images, {}), (images - 0.5) * 4)
    mean, std = tuple(range(13)), tuple(range(1, 14))
    expected = tv.normalize(images, list(map(float, mean)), list(map(float, std)))
    assert torch.allclose(Normalize(mean=mean, std=std).apply(images, {}), expected, atol=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"mean": 0.5}, {"stats": "half", "mean": 0.5}, {"mean": (0.1, 0.2), "std": (1.0,)}, {"mean": 0.5, "std": 0.0}],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"mean|std"):
        Normalize(**arguments)


def test_statistics_of_three_channels_are_refused_for_one(
    keys: Callable[[int], SampleKeys], shapes: Callable[..., Tensor]
) -> None:
    with pytest.raises(ValueError, match="3 channels, and there are images of 1"):
        Normalize("imagenet").draw(keys(2), shapes(2, 1))
