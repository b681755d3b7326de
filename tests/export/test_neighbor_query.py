"""Nearest images by a run's features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from sslreg import Embeddings, Run, UserError
from sslreg.export.data_selection import SelectedData, select_data
from sslreg.export.embedding_reader import read_embeddings
from sslreg.export.embedding_writer import write_embeddings
from sslreg.export.neighbor_query import Query, find_neighbors, parse_query
from sslreg.runs.run_evaluation import embed_samples


@pytest.fixture(scope="module")
def data(tiny_run: Run) -> SelectedData:
    return select_data(tiny_run, "test")


@pytest.fixture(scope="module")
def known(tiny_run: Run, data: SelectedData) -> Embeddings:
    return embed_samples(tiny_run, data.samples)


def test_neighbors_are_those_that_scikit_learn_finds(tiny_run: Run, data: SelectedData, known: Embeddings) -> None:
    query = parse_query(tiny_run, "test:17")
    found = find_neighbors(tiny_run, query, data, known, 5)
    features = known.features.numpy()
    distances, rows = NearestNeighbors(metric="cosine").fit(features).kneighbors(features[17:18], 6)
    assert [neighbor.index for neighbor in found] == [row for row in rows[0].tolist() if row != 17]
    np.testing.assert_allclose([neighbor.similarity for neighbor in found], 1 - distances[0][1:], atol=1e-5)
    assert [neighbor.label for neighbor in found] == [str(int(known.targets[n.index])) for n in found]


def test_an_image_of_another_split_leaves_none_out(tiny_run: Run, data: SelectedData, known: Embeddings) -> None:
    twin = replace(parse_query(tiny_run, "test:17"), place=("train", 17))
    assert find_neighbors(tiny_run, twin, data, known, 1)[0].index == 17
    assert find_neighbors(tiny_run, parse_query(tiny_run, "test:17"), data, known, 1, own=False)[0].index == 17


def test_no_more_are_found_than_there_are(tiny_run: Run, data: SelectedData, known: Embeddings) -> None:
    assert len(find_neighbors(tiny_run, parse_query(tiny_run, "test:0"), data, known, 1000)) == len(known) - 1


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_an_embedding_file_serves_as_well(
    tiny_run: Run, data: SelectedData, known: Embeddings, tmp_path: Path, suffix: str
) -> None:
    pytest.importorskip("pyarrow")
    write_embeddings(tiny_run, data, tmp_path / f"e{suffix}", device=torch.device("cpu"))
    read = read_embeddings(tmp_path / f"e{suffix}")
    assert torch.equal(read.features, known.features)
    assert torch.equal(read.targets, known.targets)
    assert read.names == known.names
    query = parse_query(tiny_run, "test:3")
    assert find_neighbors(tiny_run, query, data, read, 4) == find_neighbors(tiny_run, query, data, known, 4)


def test_embeddings_of_something_else_are_refused(tiny_run: Run, data: SelectedData, known: Embeddings) -> None:
    query = parse_query(tiny_run, "test:3")
    with pytest.raises(UserError, match="of width 3, and the run's are of 32"):
        find_neighbors(tiny_run, query, data, replace(known, features=known.features[:, :3]), 4)
    with pytest.raises(UserError, match="of other images"):
        find_neighbors(tiny_run, query, data, replace(known, names=["x.png"] * len(known)), 4)
    with pytest.raises(UserError, match="of other images"):
        find_neighbors(tiny_run, query, data, replace(known, indices=known.indices + 1000), 4)


@pytest.mark.parametrize("name", ["e.npz", "e.parquet"])
def test_a_file_without_embeddings_is_refused(tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(UserError, match="there is no file"):
        read_embeddings(tmp_path / name)
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(UserError, match="holds no embeddings"):
        read_embeddings(tmp_path / name)


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "e.npy", np.zeros((3, 2)))
    with pytest.raises(UserError, match="holds no embeddings: it is a single array"):
        read_embeddings(tmp_path / "e.npy")


@pytest.mark.parametrize("text", ["nowhere.png", "test:449", "validation:3", "test:-1", "reference:1348"])
def test_an_image_that_is_not_there_is_named(tiny_run: Run, text: str) -> None:
    with pytest.raises(UserError, match="there is no image"):
        parse_query(tiny_run, text)


def test_a_file_is_query_about_by_its_path(tiny_run: Run, photos: Path) -> None:
    path = photos / "rgb.jpg"
    assert parse_query(tiny_run, str(path)) == Query(path, str(path))
