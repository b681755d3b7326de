"""The invariance profile of features whose invariances are known by construction."""

from __future__ import annotations

import logging
from collections.abc import Callable
from statistics import geometric_mean

import numpy as np
import pytest
import torch
from torch import Tensor

import sslreg
from sslreg.assembly import SampleDataset
from sslreg.evaluation import EvaluationImages, FeatureExtractor
from sslreg.views import Collate, ViewPlan
from sslreg_evaluators.invariance import Invariance, _DistanceScale


def pictures(count: int, channels: int = 3) -> list[Tensor]:
    """Smooth colored images, uint8 (C, 16, 16)."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, channels, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (16, 16), mode="bilinear")
    return list((smooth * 255).to(torch.uint8))


def profile(function: Callable[[Tensor], Tensor], channels: int = 3, count: int = 60, **given: int) -> dict[str, float]:
    """The figures of a function from images (N, C, 16, 16) to features."""
    collate, samples = Collate([ViewPlan([])]), SampleDataset(pictures(count, channels))
    subject = FeatureExtractor(
        collate, function, torch.device("cpu"), workers=0, images=EvaluationImages(samples, collate)
    )
    numbers = torch.arange(count)
    test = sslreg.Embeddings(torch.zeros(count, 1), None, numbers, [""] * count)
    return Invariance(**given).evaluate(test, test, subject)


def centered(features: Tensor) -> Tensor:
    return features - 0.5


@pytest.fixture(scope="module")
def of_gray() -> dict[str, float]:
    """Of features that see luma alone."""
    weights = torch.tensor([0.2989, 0.587, 0.114])[:, None, None]
    return profile(lambda images: centered((images * weights).sum(dim=1).flatten(1)))


@pytest.fixture(scope="module")
def of_pixels() -> dict[str, float]:
    return profile(lambda images: centered(images.flatten(1)))


@pytest.fixture(scope="module")
def of_colors() -> dict[str, float]:
    """Of features that see colors and not where they are."""
    return profile(lambda images: centered(images.flatten(2).sort(dim=2).values.flatten(1)))


def test_features_of_luma_do_not_notice_that_color_is_taken_away(of_gray, of_pixels) -> None:
    assert of_gray["grayscale"] < 1e-3
    assert of_pixels["grayscale"] > 0.2
    assert of_gray["color_jitter_hue"] + of_gray["color_jitter_hue_ci"] < (
        of_pixels["color_jitter_hue"] - of_pixels["color_jitter_hue_ci"]
    )


def test_features_of_colors_do_not_notice_where_they_are(of_colors, of_pixels) -> None:
    for name in ("horizontal_flip", "vertical_flip", "rotate90"):
        assert of_colors[name] == pytest.approx(0.0, abs=1e-6)
        assert of_pixels[name] > 0.4
    assert of_colors["shape"] < of_pixels["shape"]


def test_a_stronger_augmentation_moves_embeddings_farther(of_pixels) -> None:
    for name in ("affine_rotation", "affine_translation", "color_jitter_hue", "gaussian_noise", "gaussian_blur"):
        moves = [of_pixels[f"{name}_s{percent}"] for percent in (25, 50, 75, 100)]
        assert moves == sorted(moves), name
        assert of_pixels[name] == pytest.approx(np.mean(moves))


def test_every_figure_has_its_interval(of_pixels) -> None:
    figures = {name for name in of_pixels if not name.endswith("_ci")}
    assert {f"{name}_ci" for name in figures} | figures == set(of_pixels)


def test_an_augmentation_of_several_aspects_is_their_mean(of_pixels) -> None:
    aspects = [of_pixels[f"color_jitter_{name}"] for name in ("brightness", "contrast", "saturation", "hue")]
    assert of_pixels["color_jitter"] == pytest.approx(np.mean(aspects))


def test_a_group_is_the_geometric_mean_of_its_rows(of_pixels) -> None:
    texture = [of_pixels[name] for name in ("gaussian_blur", "gaussian_noise")]
    assert of_pixels["texture"] == pytest.approx(geometric_mean(texture))
    aspects = [of_pixels[f"color_jitter_{name}"] for name in ("brightness", "contrast", "saturation", "hue")]
    assert of_pixels["color"] == pytest.approx(
        geometric_mean([*aspects, of_pixels["grayscale"], of_pixels["solarize"]])
    )


def test_the_interval_of_a_geometric_mean_is_that_of_a_bootstrap() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(80, 3, generator=generator) + 0.5
    scale = _DistanceScale(features)
    noise = torch.rand(3, 80, generator=generator).double().numpy()
    rows = [0.05 * noise[0], noise[1] + scale.others, 0.0 * noise[2]]
    metrics = scale.geometric_mean("color", rows)
    assert metrics["color"] == pytest.approx(geometric_mean([*(row.mean() / scale.mean for row in rows[:2]), 1e-3]))
    draws = np.random.default_rng(0).integers(0, 80, (2000, 80))

    def mean(drawn: np.ndarray) -> float:
        distance = mean_distance(features, drawn)
        return geometric_mean([*(row[drawn].mean() / distance for row in rows[:2]), 1e-3])

    low, high = np.quantile([mean(drawn) for drawn in draws], (0.025, 0.975))
    assert metrics["color_ci"] == pytest.approx((high - low) / 2, rel=0.15)


def test_gray_images_have_no_color_to_change() -> None:
    figures = profile(lambda images: centered(images.flatten(1)), channels=1)
    assert "color_jitter_brightness" in figures
    assert not {"grayscale", "color_jitter_hue", "color_jitter_saturation"} & set(figures)


def test_what_features_keep_of_an_augmentation_is_read_back(of_colors) -> None:
    constant = profile(lambda images: torch.ones(len(images), 4), count=30)
    assert of_colors["color_jitter_brightness_readback"] > 0.8
    assert constant["color_jitter_brightness_readback"] < 0.0


def test_features_that_are_all_the_same_notice_nothing() -> None:
    figures = profile(lambda images: torch.ones(len(images), 4), count=12)
    assert {figures[name] for name in ("shape", "texture", "color", "affine_rotation_s100")} == {0.0}


def test_samples_says_how_many_images_are_measured() -> None:
    few, all_ = (profile(lambda images: centered(images.flatten(1)), count=40, samples=n) for n in (8, 1000))
    assert few["gaussian_noise_ci"] > all_["gaussian_noise_ci"]


def mean_distance(features: Tensor, rows: np.ndarray) -> float:
    """The mean distance of different images among some rows, which a bootstrap may have drawn more than once."""
    own = torch.nn.functional.normalize(features[rows].double())
    return float((1 - own @ own.T).numpy()[rows[:, None] != rows[None, :]].mean())


def test_the_interval_of_a_ratio_is_that_of_a_bootstrap() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(80, 3, generator=generator) + 0.5
    moves = torch.rand(80, generator=generator).double().numpy() + _DistanceScale(features).others
    interval = _DistanceScale(features).metric("op", moves)["op_ci"]
    draws = np.random.default_rng(0).integers(0, 80, (2000, 80))

    def ratio(rows: np.ndarray) -> float:
        return float(moves[rows].mean()) / mean_distance(features, rows)

    low, high = np.quantile([ratio(rows) for rows in draws], (0.025, 0.975))
    assert interval == pytest.approx((high - low) / 2, rel=0.15)


#: Somebody else's augmentations; the test of them registers each with an invariance.
ACME = """
import torch
import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry):
    for name in ("Stamp", "Halved", "Demanding", "Darker", "Broken"):
        registry.augmentation(f"acme_{name.lower()}", f"{__name__}:{name}", summary="a test's", invariances=("shape",))


class Stamp(sslreg.Augmentation):
    'A black corner, whose size is what strength is.'

    def __init__(self, side=4):
        self.side = side

    def apply(self, images, params):
        images = images.clone()
        images[:, :, : self.side, : self.side] = 0.0
        return images

    @classmethod
    def at_strength(cls, strengths, shape):
        return {"side": round(strengths[""] * shape[1])}


class Halved(sslreg.Augmentation):
    'Changes the size.'

    ragged = True

    def apply(self, images, params):
        return [image[:, ::2, ::2] for image in images]

    def output_shapes(self, shapes, params):
        return torch.stack([shapes[:, 0], (shapes[:, 1] + 1) // 2, (shapes[:, 2] + 1) // 2], dim=1)


class Demanding(sslreg.Augmentation):
    'Has to be told something, and has no scale.'

    def __init__(self, amount):
        self.amount = amount


def Darker():
    'A plain function of an image.'
    return lambda image: image * 0.5


class Broken(sslreg.Augmentation):
    def apply(self, images, params):
        raise RuntimeError("out of paint")
"""


def test_third_party_augmentations_are_measured_where_that_can_be_done(site, caplog) -> None:
    site.install("acme", ACME)
    with caplog.at_level(logging.WARNING, "sslreg.evaluators"):
        figures = profile(lambda images: centered(images.flatten(1)), count=20)
    assert {name for name in figures if "acme" in name and not name.endswith("_ci")} == {
        "acme_darker",
        *("acme_stamp", "acme_stamp_s25", "acme_stamp_s50", "acme_stamp_s75", "acme_stamp_s100"),
    }
    assert "acme_halved" in caplog.text
    assert "changes the shape of images" in caplog.text
    assert "out of paint" in caplog.text
