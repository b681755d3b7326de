"""Features of test images under an augmentation."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import sslreg
from sslreg import Run, UserError
from sslreg.assembly import SampleDataset, build_embed_collate, build_raw_pixels_collate
from sslreg.evaluation import EvaluationImages, FeatureExtractor
from sslreg.views import Collate, ViewPlan

CPU = torch.device("cpu")
ROWS = [3, 7, 100, 448]


@pytest.fixture
def make_extractor(tiny_run: Run) -> Callable[..., FeatureExtractor]:
    """An extractor of the pixels of the run's test images in the embedding view or the raw-pixels view."""

    def make(collate=build_embed_collate, mean: Tensor | None = None) -> FeatureExtractor:
        samples = tiny_run.split("test")
        made = collate(tiny_run.spec)
        return FeatureExtractor(made, lambda images: images.flatten(1), CPU, 0, EvaluationImages(samples, made), mean)

    return make


def test_without_an_augmentation_features_are_the_embeddings(make_extractor, tiny_run: Run) -> None:
    for collate in (build_embed_collate, build_raw_pixels_collate):
        found, params = make_extractor(collate).embed(ROWS)
        expected = make_extractor(collate).embeddings(tiny_run.split("test")).features[ROWS]
        assert torch.equal(found, expected)
        assert params == {}


def test_the_mean_is_subtracted_from_augmented_features(make_extractor) -> None:
    flip = sslreg.build("augmentation", "horizontal_flip")
    plain, centered = (
        make_extractor(build_raw_pixels_collate),
        make_extractor(build_raw_pixels_collate, torch.full((64,), 0.25)),
    )
    torch.testing.assert_close(centered.embed(ROWS, flip)[0], plain.embed(ROWS, flip)[0] - 0.25)


def test_the_augmentation_acts_before_the_views_normalization(make_extractor) -> None:
    black = sslreg.build("augmentation", "color_jitter", brightness=(0.0, 0.0))
    found, _ = make_extractor().embed(ROWS, black)
    # The tiny run normalizes by mean and deviation 0.5.
    assert torch.equal(found, torch.full((4, 64), -1.0))


def test_the_sampled_parameters_depend_on_the_image_alone(make_extractor) -> None:
    affine = sslreg.build("augmentation", "affine", degrees=90.0)
    _, drawn = make_extractor().embed(ROWS, affine)
    _, of_raw = make_extractor(build_raw_pixels_collate).embed(ROWS[::-1], affine)
    assert torch.equal(drawn["angle"], of_raw["angle"].flip(0))


def test_images_are_cached(tiny_run: Run) -> None:
    read: list[int] = []

    class Counted(SampleDataset):
        def __getitem__(self, key):
            read.append(key)
            return super().__getitem__(key)

    images = EvaluationImages(Counted(tiny_run.split("test").source), build_embed_collate(tiny_run.spec))
    images.load([5, 6])
    again = images.load([6, 5, 9])
    assert read == [5, 6, 9]
    assert torch.equal(again[1], images.load([5])[0])


def test_an_unreadable_image_is_replaced_by_the_next_if_skipped() -> None:
    samples = SampleDataset([torch.zeros(1, 4, 4), b"not an image", torch.ones(1, 4, 4)])
    plans = [ViewPlan([])]
    with pytest.raises(UserError, match="cannot be read"):
        EvaluationImages(samples, Collate(plans)).load([0, 1])
    found = EvaluationImages(samples, Collate(plans, on_error="skip")).load([0, 1])
    assert [image.mean().item() for image in found] == [0.0, 1.0]


def test_unreadable_images_have_no_row(caplog: pytest.LogCaptureFixture) -> None:
    """The rows of augmented images are those of the embeddings, too."""
    pixels: list[object] = [torch.full((1, 4, 4), number / 10) for number in range(7)]
    for number in (0, 3, 6):
        pixels[number] = b"torn"
    samples = SampleDataset([(image, number) for number, image in enumerate(pixels)])
    collate = Collate([ViewPlan([])], on_error="skip")
    extractor = FeatureExtractor(collate, lambda images: images.flatten(1), CPU, 0, EvaluationImages(samples, collate))
    with caplog.at_level(logging.WARNING, logger="sslreg.evaluation"):
        found = extractor.embeddings(samples)
    assert found.indices.tolist() == found.targets.tolist() == [1, 2, 4, 5]
    assert found.names == ["1", "2", "4", "5"]
    assert torch.equal(found.features[:, 0], torch.tensor([0.1, 0.2, 0.4, 0.5]))
    assert torch.equal(extractor.embed([3, 1])[0][:, 0], torch.tensor([0.5, 0.2]))
    assert "3 of 7 images cannot be read and are left out: 0, 3, 6" in caplog.text


def test_only_augmentations_with_an_invariance_are_offered(make_extractor) -> None:
    offered = {info.name: info.invariances for info in make_extractor().augmentations()}
    assert offered["affine"] == ("shape",)
    assert "normalize" not in offered


def test_an_augmentation_that_changes_the_shape_is_refused(make_extractor) -> None:
    assert make_extractor().image_shape == (1, 8, 8)
    with pytest.raises(UserError, match="changes the shape"):
        make_extractor().embed(ROWS, sslreg.build("augmentation", "center_crop", size=4))
