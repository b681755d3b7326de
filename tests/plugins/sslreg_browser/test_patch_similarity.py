"""The patches of an image and of its neighbors."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cosine_similarity

import sslreg
from sslreg import Run
from sslreg_browser.feature_encoder import FeatureEncoder
from sslreg_browser.feature_index import build_index
from sslreg_browser.query_images import QueryImages


def index_images(run: Run) -> QueryImages:
    encoder = FeatureEncoder(run)
    return QueryImages(build_index(run, encoder, 20, lambda done, total: None), encoder)


@pytest.fixture(scope="module")
def images(patch_run: Run) -> QueryImages:
    return index_images(patch_run)


def test_patches_are_those_of_an_image_and_its_neighbors(images: QueryImages, patch_run: Run) -> None:
    image = images.find("2")
    patches = images.encode_patches(image)
    nearest = images.index.find_neighbors(image.features, 3, 2)["trained"]
    assert patches.keys == ["2", *(str(neighbor.row) for neighbor in nearest)]
    assert patches.grid == (4, 4)
    assert images.encode_patches(image) is patches

    samples = patch_run.split("test")
    own = patch_run.patches([samples[images.index.indices[int(key)]].image for key in patches.keys])  # type: ignore[misc]
    similarities = patches.similarities(1, 3)["trained"]
    torch.testing.assert_close(similarities, cosine_similarity(own, own[0, 1, 3], dim=-1))
    assert float(similarities[0, 1, 3]) == pytest.approx(1, abs=1e-5)


def test_components_are_colors_of_all_images_together(images: QueryImages) -> None:
    patches = images.encode_patches(images.find("0"))
    colors = patches.color_components()
    assert list(colors) == ["untrained", "trained"]
    torch.testing.assert_close(colors["trained"], sslreg.color_components(patches.features["trained"]))
    assert colors["trained"].shape == (4, 3, 4, 4)


def test_a_backbone_without_patches_is_a_user_error(tiny_run: Run) -> None:
    images = index_images(tiny_run)
    with pytest.raises(sslreg.UserError, match="no patches"):
        images.encode_patches(images.find("0"))
