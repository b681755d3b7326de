"""The features of single images equal those of the evaluations."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

import sslreg
from sslreg import Run
from sslreg.evaluation.raw_pixels import project_pixels
from sslreg_browser.feature_encoder import FeatureEncoder


@pytest.fixture(scope="module")
def encoder(tiny_run: Run) -> FeatureEncoder:
    return FeatureEncoder(tiny_run)


@pytest.fixture(scope="module")
def images(tiny_run: Run) -> list[sslreg.ImageLike]:
    samples = tiny_run.split("test")
    return [samples[row].image for row in range(5)]  # type: ignore[misc]


def test_features_equal_those_of_the_run(
    tiny_run: Run, encoder: FeatureEncoder, images: list[sslreg.ImageLike]
) -> None:
    prepared = torch.stack([encoder.prepare(image) for image in images])
    features = encoder.encode(prepared)
    assert encoder.subjects == tuple(features) == ("raw_pixels", "untrained", "trained")
    torch.testing.assert_close(features["trained"], normalize(tiny_run.embed(images), dim=1))
    untrained = tiny_run.untrained_model().eval().embed(torch.stack([tiny_run.preprocess()(one) for one in images]))
    torch.testing.assert_close(features["untrained"], normalize(untrained.detach(), dim=1))
    torch.testing.assert_close(features["raw_pixels"], project_pixels(prepared))


def test_prepared_images_are_pictures(encoder: FeatureEncoder, images: list[sslreg.ImageLike]) -> None:
    prepared = encoder.prepare(images[0])
    assert prepared.shape == (1, 8, 8)
    assert 0 <= prepared.min() < prepared.max() <= 1


def test_an_unreadable_image_is_a_user_error(encoder: FeatureEncoder) -> None:
    with pytest.raises(sslreg.UserError):
        encoder.prepare(b"not an image")


def test_draws_of_an_augmentation_depend_on_the_row_alone(
    encoder: FeatureEncoder, images: list[sslreg.ImageLike]
) -> None:
    image, noise = encoder.prepare(images[0]), sslreg.build("augmentation", "gaussian_noise", std=0.3)
    first, again, other = (encoder.augment(image, noise, row, draws=2) for row in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


def test_patches_are_those_of_the_run(patch_run: Run, images: list[sslreg.ImageLike]) -> None:
    encoder = FeatureEncoder(patch_run)
    assert encoder.has_patches
    patches = encoder.encode_patches(torch.stack([encoder.prepare(image) for image in images]))
    torch.testing.assert_close(patches["trained"], normalize(patch_run.patches(images), dim=-1))
    assert patches["untrained"].shape == patches["trained"].shape == (5, 4, 4, 16)
