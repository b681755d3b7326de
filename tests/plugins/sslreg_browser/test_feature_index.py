"""The index of features, and neighbors in it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.neighbors import NearestNeighbors

import sslreg
from sslreg import Run, SampleDataset
from sslreg.spec import parse_spec
from sslreg_browser.feature_encoder import FeatureEncoder
from sslreg_browser.feature_index import CancelledError, FeatureIndex, build_index, encode_picture


def ignore(done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def encoder(tiny_run: Run) -> FeatureEncoder:
    return FeatureEncoder(tiny_run)


@pytest.fixture(scope="module")
def index(tiny_run: Run, encoder: FeatureEncoder) -> FeatureIndex:
    return build_index(tiny_run, encoder, 100, ignore)


def test_it_holds_the_images_of_a_report(tiny_run: Run, index: FeatureIndex) -> None:
    samples = tiny_run.split("test")
    assert (len(index), index.split) == (100, "test")
    assert index.description == f"100 of the {len(samples):,} images of the test set"
    assert index.indices == sorted(set(index.indices))
    assert index.names == [samples.name(one) for one in index.indices]
    assert index.labels == [samples.class_name(samples[one].target) for one in index.indices]
    assert Image.open(io.BytesIO(index.thumbnails[0])).size == (8, 8)
    assert index.bytes > sum(own.nbytes for own in index.features.values())


@pytest.mark.parametrize("subject", ["raw_pixels", "untrained", "trained"])
def test_neighbors_are_those_that_scikit_learn_finds(index: FeatureIndex, subject: str) -> None:
    features = index.features[subject].numpy()
    _, expected = NearestNeighbors(n_neighbors=6, metric="cosine").fit(features).kneighbors(features)
    for row in (0, 50, 99):
        neighbors = index.find_neighbors(index.take(row), 5, row)[subject]
        assert [neighbor.row for neighbor in neighbors] == expected[row][1:].tolist()


def test_an_image_of_the_index_that_comes_from_outside_is_its_own_nearest(
    tiny_run: Run, encoder: FeatureEncoder, index: FeatureIndex
) -> None:
    image = tiny_run.split("test")[index.indices[3]].image
    features = index.center(encoder.encode(encoder.prepare(image)[None]))
    for neighbors in index.find_neighbors({subject: own[0] for subject, own in features.items()}, 3).values():
        assert neighbors[0].row == 3


def test_there_are_never_more_neighbors_than_images(index: FeatureIndex) -> None:
    assert {len(found) for found in index.find_neighbors(index.take(0), 1000, 0).values()} == {99}


def test_the_map_shows_principal_components_before_it_is_a_t_sne(index: FeatureIndex) -> None:
    index.make_map()
    assert index.map is not None
    assert "principal components" in index.map.method
    assert len(index.map.points) == 100
    assert sum(len(rows) for _, rows in index.map.classes) == 100
    assert not index.has_final_map
    classes = index.map.classes
    index.place(np.ones((100, 2)), "All in one place.")
    assert index.has_final_map
    assert (index.map.points[99], index.map.method, index.map.classes) == ((1.0, 1.0), "All in one place.", classes)
    with pytest.raises(ValueError, match="100 images"):
        index.place(np.ones((99, 2)), "")


def test_progress_is_reported_and_may_cancel(tiny_run: Run, encoder: FeatureEncoder) -> None:
    seen = []

    def report(done: int, total: int) -> None:
        seen.append((done, total))
        if done:
            raise CancelledError

    with pytest.raises(CancelledError):
        build_index(tiny_run, encoder, 200, report)
    assert seen == [(0, 200), (64, 200)]


def test_unreadable_images_are_left_out_and_named(tmp_path: Path, tiny_spec: str, tiny_run: Run) -> None:
    for number in range(3):
        Image.new("L", (10, 10), 80 * number).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"broken")
    folder = f"data.train={{use: image_folder, root: {str(tmp_path)!r}, labels: none}}"
    spec = parse_spec(tiny_spec, "tiny.yaml", [folder, "data.test=null", "evaluate=[]"])

    class UntrainedRun(Run):
        """A run without a checkpoint."""

        checkpoint_path = tmp_path

        def __init__(self) -> None:
            self.__dict__["spec"] = spec

        @property
        def facts(self) -> dict[str, object]:
            return tiny_run.facts

        def model(self) -> sslreg.Model:
            return self.untrained_model()

    run = UntrainedRun()
    index = build_index(run, FeatureEncoder(run), 100, ignore)
    assert index.names == ["0.png", "2.png"]
    assert [name for name, _ in index.unreadable] == ["1.png"]
    assert index.labels == [None, None]


def test_large_pictures_become_small_photographs() -> None:
    picture = Image.open(io.BytesIO(encode_picture(Image.new("RGB", (200, 100)), 96)))
    assert (picture.size, picture.format) == ((96, 48), "WEBP")


def test_memory_counts_features_and_thumbnails() -> None:
    features = {"trained": torch.zeros(2, 4)}
    index = FeatureIndex(
        "test", SampleDataset([]), [0, 1], ["a", "b"], [None, None], [b"123", b"4"], features, torch.zeros(1)
    )
    assert index.bytes == 2 * 4 * 4 + 4
