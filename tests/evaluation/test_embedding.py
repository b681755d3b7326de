"""Embeddings that cannot be evaluated are refused once, for all evaluators, and the sample is named."""

from __future__ import annotations

import math

import pytest
import torch

from sslreg import Dataset, Embeddings, Params, UserError
from sslreg.assembly import SampleDataset
from sslreg.evaluation import EvaluationImages, FeatureExtractor, embed
from sslreg.views import Collate, ViewPlan
from sslreg_augmentations.horizontal_flip import HorizontalFlip

CPU = torch.device("cpu")


def make(features: torch.Tensor, targets: torch.Tensor | None = None) -> Embeddings:
    return Embeddings(features, targets, torch.arange(len(features)), [f"{row}.png" for row in range(len(features))])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_sample_with_a_value_that_is_not_finite_is_named(value: float, dtype: torch.dtype) -> None:
    features = torch.ones(5, 3)
    features[2, 1] = value
    with pytest.raises(UserError, match=r"embedding of 2\.png is not finite"):
        make(features.to(dtype))


def test_the_sample_with_a_negative_class_is_named() -> None:
    with pytest.raises(UserError, match=r"class of 3\.png is -1"):
        make(torch.ones(5, 3), torch.tensor([0, 1, 2, -1, -1]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_finite_features_of_any_precision_are_accepted(dtype: torch.dtype) -> None:
    assert len(make(torch.full((4, 3), 6e4, dtype=dtype), torch.arange(4))) == 4
    assert len(make(torch.zeros(0, 3, dtype=dtype), torch.arange(0))) == 0


class Noise(Dataset):
    """Ten images."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.full((1, 8, 8), index / 10), index % 2

    def name(self, index: int) -> str:
        return f"noise/{index}.png"


def test_a_model_that_returns_nan_for_an_image_is_refused_with_the_images_name() -> None:
    def divide(images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) / (images.mean(dim=(1, 2, 3))[:, None] - 0.7).round(decimals=4)

    with pytest.raises(UserError, match=r"noise/7\.png is not finite"):
        embed(SampleDataset(Noise()), Collate([ViewPlan([])]), divide, device=CPU, batch_size=4)


class Poison(HorizontalFlip):
    """An augmentation that returns NaN."""

    def apply(self, images: torch.Tensor, params: Params) -> torch.Tensor:
        return images * math.nan


def test_an_augmentation_that_makes_embeddings_not_finite_is_named() -> None:
    samples, collate = SampleDataset(Noise()), Collate([ViewPlan([])])
    images = EvaluationImages(samples, collate)
    extractor = FeatureExtractor(collate, lambda images: images.flatten(1), CPU, workers=0, images=images)
    with pytest.raises(UserError, match="after Poison are not finite"):
        extractor.embed([0, 1], Poison())
