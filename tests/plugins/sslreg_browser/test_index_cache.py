"""Feature indexes in the user's cache."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sslreg import Run
from sslreg_browser import index_cache
from sslreg_browser.feature_encoder import FeatureEncoder
from sslreg_browser.feature_index import FeatureIndex, build_index
from sslreg_browser.index_cache import IndexCache


@pytest.fixture(scope="module")
def encoder(tiny_run: Run) -> FeatureEncoder:
    return FeatureEncoder(tiny_run)


@pytest.fixture(scope="module")
def index(tiny_run: Run, encoder: FeatureEncoder) -> FeatureIndex:
    index = build_index(tiny_run, encoder, 30, lambda done, total: None)
    index.unreadable.append(("a.png", "it is empty"))
    index.make_map()
    return index


@pytest.fixture
def cache(tiny_run: Run, encoder: FeatureEncoder) -> IndexCache:
    return IndexCache(tiny_run, encoder, 30)


def test_what_is_saved_is_loaded(cache: IndexCache, index: FeatureIndex, user_cache: Path) -> None:
    assert cache.load() is None
    cache.save(index)
    assert cache.path.is_relative_to(user_cache)
    loaded = cache.load()
    assert loaded is not None
    for name in ("split", "indices", "names", "labels", "thumbnails", "unreadable", "map", "has_final_map"):
        assert getattr(loaded, name) == getattr(index, name), name
    assert torch.equal(loaded.pixel_mean, index.pixel_mean)
    assert loaded.features.keys() == index.features.keys()
    for subject, own in index.features.items():
        assert torch.equal(loaded.features[subject], own)
    assert loaded.find_neighbors(loaded.take(0), 3) == index.find_neighbors(index.take(0), 3)


def test_the_final_map_is_kept(cache: IndexCache, tiny_run: Run, encoder: FeatureEncoder) -> None:
    index = build_index(tiny_run, encoder, 30, lambda done, total: None)
    index.make_map()
    index.place(np.arange(60.0).reshape(30, 2), "Made by hand.")
    cache.save(index)
    loaded = cache.load()
    assert loaded is not None
    assert loaded.has_final_map
    assert loaded.map == index.map


@pytest.mark.parametrize("content", [b"", b"PK damaged", b"\x80\x04K\x01."])
def test_a_damaged_file_is_ignored(cache: IndexCache, index: FeatureIndex, content: bytes) -> None:
    cache.save(index)
    cache.path.write_bytes(content)
    assert cache.load() is None


@pytest.mark.parametrize("part", ["indices", "thumbnail_ends", "features trained", "facts"])
def test_parts_that_do_not_fit_are_ignored(cache: IndexCache, index: FeatureIndex, part: str) -> None:
    cache.save(index)
    with np.load(cache.path) as arrays:
        changed = dict(arrays) | {part: arrays[part][:-1]}
    np.savez(cache.path, **changed)
    assert cache.load() is None


def test_pickled_objects_are_never_loaded(cache: IndexCache, index: FeatureIndex) -> None:
    cache.save(index)
    with np.load(cache.path) as arrays:
        changed = dict(arrays) | {"indices": np.array([print] * len(index), object)}
    np.savez(cache.path, **changed)
    assert cache.load() is None


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_ignored(cache: IndexCache, index: FeatureIndex) -> None:
    cache.save(index)
    os.chown(cache.path, 65534, 65534)
    assert cache.load() is None


def test_another_checkpoint_size_or_number_of_images_has_another_place(
    tiny_run: Run, encoder: FeatureEncoder, cache: IndexCache, tmp_path: Path
) -> None:
    assert IndexCache(tiny_run, encoder, 30).path == cache.path
    assert IndexCache(tiny_run, encoder, 29).path != cache.path
    other = Run(shutil.copytree(tiny_run.path, tmp_path / "other"))
    assert IndexCache(other, FeatureEncoder(other), 30).path != cache.path


def test_the_oldest_indexes_make_room(
    cache: IndexCache, index: FeatureIndex, tiny_run: Run, encoder: FeatureEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.save(index)
    os.utime(cache.path, (1, 1))
    monkeypatch.setattr(index_cache, "MAX_BYTES", cache.path.stat().st_size)
    other = IndexCache(tiny_run, encoder, 29)
    other.save(index)
    assert other.path.is_file()
    assert not cache.path.exists()


def test_a_cache_that_cannot_be_written_is_no_error(cache: IndexCache, index: FeatureIndex, user_cache: Path) -> None:
    user_cache.write_text("a file in place of the folder")
    cache.save(index)
    assert cache.load() is None
