"""The live invariance profile of an image."""

from __future__ import annotations

import pytest
import torch

import sslreg
from sslreg import Run
from sslreg_browser.feature_encoder import FeatureEncoder
from sslreg_browser.feature_index import build_index
from sslreg_browser.live_profile import ProfileAspect, augment_image, list_aspects, measure_distances
from sslreg_browser.query_images import QueryImages

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def images(tiny_run: Run) -> QueryImages:
    encoder = FeatureEncoder(tiny_run)
    return QueryImages(build_index(tiny_run, encoder, 30, lambda done, total: None), encoder)


def find(title: str) -> ProfileAspect:
    (aspect,) = (aspect for aspect in list_aspects(SHAPE) if aspect.title == title)
    return aspect


def test_aspects_are_those_of_the_invariance_profile() -> None:
    aspects = {aspect.title: aspect.has_strength for aspect in list_aspects(SHAPE)}
    assert aspects["affine: rotation"]
    assert not aspects["horizontal flip"]
    assert "color jitter: saturation" not in aspects  # gray images have none
    assert "color jitter: saturation" in {aspect.title for aspect in list_aspects((3, 8, 8))}


def test_a_stronger_augmentation_changes_the_same_draws_more(images: QueryImages) -> None:
    image, noise = images.find("4"), find("gaussian noise")
    prepared = images.prepare(image)
    changes = [augment_image(images, image, noise, strength) - prepared for strength in (0.0, 0.3, 0.9)]
    sizes = [float(change.abs().mean()) for change in changes]
    assert sizes[0] == 0 < sizes[1] < sizes[2]
    assert torch.equal(augment_image(images, image, noise, 0.3) - prepared, changes[1])


def test_distances_are_those_of_the_features(images: QueryImages) -> None:
    image = images.find("4")
    still, moved = (measure_distances(images, image, augment_image(images, image, find("solarize"), s)) for s in (0, 1))
    for before, after in zip(still, moved, strict=True):
        assert before.moved == pytest.approx([0] * 4, abs=1e-5)
        others = 1 - images.index.features[after.subject] @ image.features[after.subject]
        others = torch.cat((others[:4], others[5:]))
        assert after.mean == pytest.approx(float(others.mean()))
        assert after.closer == [int((others < distance).sum()) for distance in after.moved]
        assert (after.others, sum(after.bars)) == (29, 29)
        assert after.high >= max(after.moved)
    features = images.index.center(images.encoder.encode(augment_image(images, image, find("solarize"), 1)))
    expected = (1 - features["trained"] @ image.features["trained"]).tolist()
    assert moved[-1].moved == pytest.approx(expected, abs=1e-6)


def test_an_augmentation_that_cannot_act_on_an_image_is_a_user_error(images: QueryImages) -> None:
    resize = ProfileAspect(
        next(info for info in sslreg.installed().of_kind("augmentation") if info.name == "resize"), "", False
    )
    with pytest.raises(sslreg.UserError, match="resize"):
        augment_image(images, images.find("0"), resize, 1.0)
