"""Nearest patches by a run's features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from sslreg import Embeddings, Run, UserError
from sslreg.export.data_selection import SelectedData, select_data
from sslreg.export.embedding_reader import read_embeddings, stream_patches
from sslreg.export.embedding_writer import write_embeddings
from sslreg.export.neighbor_query import parse_query
from sslreg.export.patch_query import find_patch_neighbors, parse_patch
from sslreg.runs.run_evaluation import embed_patches
from sslreg.spec import load_spec


@pytest.fixture(scope="module")
def data(patch_run: Run) -> SelectedData:
    return select_data(patch_run, "test")


@pytest.fixture(scope="module")
def parts(patch_run: Run, data: SelectedData) -> list[Embeddings]:
    """The patches of the test set in two parts."""
    return list(embed_patches(patch_run, data.samples))


def test_nearest_patches_are_those_that_scikit_learn_finds(
    patch_run: Run, data: SelectedData, parts: list[Embeddings]
) -> None:
    query = parse_query(patch_run, "test:17")
    patch = parse_patch(patch_run, query, "2,3")
    found = find_patch_neighbors(query, patch, data, parts, 40)
    patches = torch.cat([part.features for part in parts])
    flat = patches.flatten(0, 2).numpy()
    distances, rows = NearestNeighbors(metric="cosine").fit(flat).kneighbors(patches[17, 2, 3][None].numpy(), 100)
    others = rows[0] // 16 != 17
    np.testing.assert_allclose([one.similarity for one in found], 1 - distances[0][others][:40], atol=1e-5)
    similarities = torch.nn.functional.cosine_similarity(patches, patches[17, 2, 3], dim=-1)
    for one in found:
        assert one.similarity == pytest.approx(float(similarities[one.index, one.row, one.column]), abs=1e-5)
        assert (one.name, one.label) == (str(one.index), data.samples.class_name(data.samples[one.index].target))
    assert {one.index >= 256 for one in found} == {True, False}
    assert 17 not in {one.index for one in found}


def test_an_image_that_is_not_searched_leaves_none_out(
    patch_run: Run, data: SelectedData, parts: list[Embeddings]
) -> None:
    query = parse_query(patch_run, "test:17")
    patch = parse_patch(patch_run, query, "2,3")
    first = find_patch_neighbors(query, patch, data, parts, 1, own=False)[0]
    assert (first.index, first.row, first.column) == (17, 2, 3)


def test_one_part_is_held_at_a_time(patch_run: Run, data: SelectedData, parts: list[Embeddings]) -> None:
    alive = 0

    class Counted(Embeddings):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def stream() -> Iterator[Embeddings]:
        nonlocal alive
        for _ in range(3):
            for part in parts:
                assert alive <= 1  # the loop holds the one before
                alive += 1
                yield Counted(part.features, part.targets, part.indices, part.names)

    query = parse_query(patch_run, "test:17")
    assert len(find_patch_neighbors(query, parse_patch(patch_run, query, "0,0"), data, stream(), 5)) == 5


def test_unreadable_images_are_left_out_and_named(
    patch_run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        Image.new("L", (8, 8), number).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"torn")
    run = Run(patch_run.path)
    vars(run)["spec"] = load_spec(run.folder.resolved_spec, ["data.on_error=skip"])
    found = list(embed_patches(run, select_data(run, "test", str(tmp_path)).samples))
    assert [part.indices.tolist() for part in found] == [[0, 2, 3]]
    assert "1 of 4 images cannot be read and are left out: 1.png" in caplog.text


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_a_file_of_patches_serves_as_well(
    patch_run: Run,
    data: SelectedData,
    parts: list[Embeddings],
    tmp_path: Path,
    suffix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("sslreg.export.npz_reader._VALUES", 16 * 16 * 100)
    file = tmp_path / f"p{suffix}"
    write_embeddings(patch_run, data, file, device=torch.device("cpu"), patches=True)
    read = list(stream_patches(file))
    assert [len(part) for part in read] == ([100, 100, 100, 100, 49] if suffix == ".npz" else [256, 193])
    for name in ("features", "targets", "indices"):
        values = [torch.cat([getattr(part, name) for part in many]) for many in (read, parts)]
        assert torch.equal(*values)
    query = parse_query(patch_run, "test:3")
    patch = parse_patch(patch_run, query, "1,1")
    assert find_patch_neighbors(query, patch, data, read, 7) == find_patch_neighbors(query, patch, data, parts, 7)
    with pytest.raises(UserError, match="holds no embeddings: it holds patches"):
        read_embeddings(file)


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_a_file_without_patches_is_refused(patch_run: Run, data: SelectedData, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("pyarrow")
    file = tmp_path / f"e{suffix}"
    with pytest.raises(UserError, match="there is no file"):
        list(stream_patches(file))
    write_embeddings(patch_run, data, file, device=torch.device("cpu"))
    with pytest.raises(UserError, match="holds no patches"):
        list(stream_patches(file))
    file.write_bytes(b"something else")
    with pytest.raises(UserError, match="holds no patches"):
        list(stream_patches(file))


def test_patches_of_something_else_are_refused(patch_run: Run, data: SelectedData, parts: list[Embeddings]) -> None:
    query = parse_query(patch_run, "test:3")
    patch = parse_patch(patch_run, query, "1,1")
    narrow = [replace(part, features=part.features[..., :3]) for part in parts]
    with pytest.raises(UserError, match="of width 3, and the run's are of 16"):
        find_patch_neighbors(query, patch, data, narrow, 4)
    with pytest.raises(UserError, match="of other images"):
        find_patch_neighbors(query, patch, data, [replace(parts[0], names=["x.png"] * len(parts[0]))], 4)


@pytest.mark.parametrize("text", ["4,0", "0,4", "-1,0", "1", "1,2,3", "one,two", "1, 2", ""])
def test_a_patch_that_is_not_there_is_refused_with_the_grid(patch_run: Run, text: str) -> None:
    with pytest.raises(UserError, match=r"no such patch; its grid has 4 rows and 4 columns") as refused:
        parse_patch(patch_run, parse_query(patch_run, "test:3"), text)
    assert "from 0,0 (top left) to 3,3" in (refused.value.diagnostics[0].hint or "")


def test_a_run_without_patches_is_refused(tiny_run: Run) -> None:
    with pytest.raises(UserError, match="has no patches"):
        parse_patch(tiny_run, parse_query(tiny_run, "test:3"), "0,0")
