"""Images whose neighbors are searched: those of the index, and dropped ones."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

import sslreg
from sslreg import Run
from sslreg_browser import query_images
from sslreg_browser.feature_encoder import FeatureEncoder
from sslreg_browser.feature_index import build_index
from sslreg_browser.query_images import QueryImages


@pytest.fixture(scope="module")
def built(tiny_run: Run) -> QueryImages:
    encoder = FeatureEncoder(tiny_run)
    return QueryImages(build_index(tiny_run, encoder, 20, lambda done, total: None), encoder)


@pytest.fixture
def images(built: QueryImages) -> QueryImages:
    return QueryImages(built.index, built.encoder)


def encode_png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (12, 9), level).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_image_of_the_index_is_found_by_its_row(images: QueryImages) -> None:
    image = images.find("3")
    assert (image.key, image.row, image.name, image.label) == ("3", 3, images.index.names[3], images.index.labels[3])
    features = images.index.center(images.encoder.encode(images.prepare(image)[None]))
    for subject, own in features.items():
        torch.testing.assert_close(own[0], image.features[subject])


def test_a_dropped_image_is_kept_with_its_features(images: QueryImages) -> None:
    image = images.add(encode_png(40), "mine.png")
    assert (image.key, image.row, image.name, image.label) == ("new-1", None, "mine.png", None)
    assert images.find("new-1") is image
    assert images.prepare(image).shape == (1, 8, 8)
    assert {subject: own.ndim for subject, own in image.features.items()} == dict.fromkeys(images.index.features, 1)


@pytest.mark.parametrize("key", ["20", "-1", "new-1", "", "1e3", "٣", "../0", "9" * 400])
def test_other_keys_are_refused(images: QueryImages, key: str) -> None:
    with pytest.raises(sslreg.UserError, match="there is no image"):
        images.find(key)


def test_an_unreadable_file_is_named(images: QueryImages) -> None:
    with pytest.raises(sslreg.UserError, match=r"notes\.txt cannot be read as an image"):
        images.add(b"not an image", "notes.txt")


def test_only_the_last_dropped_images_are_kept(images: QueryImages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_images, "_KEPT", 2)
    first, *_ = (images.add(encode_png(level), "one.png") for level in (10, 20, 30))
    with pytest.raises(sslreg.UserError, match="there is no image"):
        images.find(first.key)
    with pytest.raises(sslreg.UserError, match="no longer kept"):
        images.prepare(first)
    assert images.find("new-3")


def test_distances_are_those_to_the_other_images(images: QueryImages) -> None:
    distances = images.distances(images.find("0"), "trained")
    features = images.index.features["trained"]
    torch.testing.assert_close(distances, (1 - features[1:] @ features[0]).sort().values)
    assert len(images.distances(images.add(encode_png(40), "mine.png"), "trained")) == 20
