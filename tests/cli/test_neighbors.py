"""sslreg neighbors"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sslreg import Run


def test_neighbors_are_listed_with_class_and_similarity(cli, tiny_run: Run) -> None:
    result = cli("neighbors", tiny_run.path, "test:17", "-k", "3")
    assert (result.status, result.err) == (0, "")
    assert "similarity" in result.out
    found = json.loads(cli("neighbors", tiny_run.path, "test:17", "-k", "3", "--json").out)
    assert found["query"]["name"] == "17"
    assert len(found["neighbors"]) == 3
    assert set(found["neighbors"][0]) == {"index", "name", "class", "similarity"}
    similarities = [neighbor["similarity"] for neighbor in found["neighbors"]]
    assert similarities == sorted(similarities, reverse=True)


def test_a_copy_of_a_file_is_found_and_the_file_itself_is_not(cli, tiny_run: Run, photos: Path, tmp_path: Path) -> None:
    image = photos / "trip" / "gray.jpg"
    names = json.loads(cli("neighbors", tiny_run.path, image, "--data", photos, "--json").out)["neighbors"]
    assert "trip/gray.jpg" not in {one["name"] for one in names}
    image = shutil.copy(image, tmp_path / "gray.jpg")
    found = json.loads(cli("neighbors", tiny_run.path, image, "--data", photos, "-k", "2", "--json").out)
    assert found["neighbors"][0] == {
        "index": found["neighbors"][0]["index"],
        "name": "trip/gray.jpg",
        "class": None,
        "similarity": pytest.approx(1, abs=1e-5),
    }


def test_an_embedding_file_of_the_split_gives_the_same(cli, tiny_run: Run, tmp_path: Path) -> None:
    assert cli("embed", tiny_run.path, "--split", "train", "--out", tmp_path / "e.npz").status == 0
    asked = ("neighbors", tiny_run.path, "test:1", "--split", "train", "--json")
    assert cli(*asked, "--embeddings", tmp_path / "e.npz").out == cli(*asked).out
    wrong = cli("neighbors", tiny_run.path, "test:1", "--embeddings", tmp_path / "e.npz", "-k", "200")
    assert wrong.status == 2
    assert "of other images" in wrong.err


def test_the_images_are_written_to_a_file(cli, tiny_run: Run, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "n.png"
    assert cli("neighbors", tiny_run.path, photos / "rgb.jpg", "--data", photos, "-k", "6", "--out", out).status == 0
    pixels = np.asarray(Image.open(out).convert("L"))
    assert pixels.shape[0] > 2 * 160
    assert len(np.unique(pixels)) > 10


def test_a_page_escapes_names(cli, tiny_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        Image.new("L", (12, 12), 80 * number).save(folder / f"<b>{number}.png")
    out = tmp_path / "n.html"
    image = folder / "<b>1.png"
    assert cli("neighbors", tiny_run.path, image, "--data", folder, "--out", out).status == 0
    html = out.read_text()
    assert html.count("<img") == 3  # the image and its two neighbors
    assert "&lt;b&gt;2.png" in html
    assert "<b>" not in html


def test_the_nearest_patches_are_listed_with_their_places(cli, patch_run: Run, tmp_path: Path) -> None:
    request = ("neighbors", patch_run.path, "test:17", "--patch", "1,2", "-k", "3")
    result = cli(*request)
    assert (result.status, result.err) == (0, "")
    assert "patch" in result.out
    found = json.loads(cli(*request, "--json").out)
    assert {name: found["query"][name] for name in ("name", "row", "column", "grid")} == {
        "name": "17",
        "row": 1,
        "column": 2,
        "grid": [4, 4],
    }
    assert len(found["neighbors"]) == 3
    assert set(found["neighbors"][0]) == {"index", "name", "class", "similarity", "row", "column"}
    assert cli("embed", patch_run.path, "--patches", "--out", tmp_path / "p.npz").status == 0
    assert json.loads(cli(*request, "--json", "--embeddings", tmp_path / "p.npz").out) == found
    wrong = cli("neighbors", patch_run.path, "test:17", "--embeddings", tmp_path / "p.npz")
    assert wrong.status == 2
    assert "it holds patches" in wrong.err


def test_the_patches_are_framed_on_a_page(cli, patch_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "n.html"
    result = cli("neighbors", patch_run.path, "test:17", "--patch", "1,2", "-k", "3", "--out", out)
    assert (result.status, result.err) == (0, "")
    page = out.read_text()
    assert "Nearest to patch 1,2 of test:17" in page
    assert page.count("<img") == 4
    assert page.count(" · patch ") == 4
    assert " · patch 1,2</p>" in page


@pytest.mark.parametrize("patch", ["4,0", "top"])
def test_a_patch_outside_the_grid_is_refused(cli, patch_run: Run, patch: str) -> None:
    result = cli("neighbors", patch_run.path, "test:17", "--patch", patch)
    assert result.status == 2
    assert "its grid has 4 rows and 4 columns" in " ".join(result.err.split())


@pytest.mark.parametrize("out", ["n.txt", "nowhere/n.png"])
def test_an_output_that_cannot_be_written_is_refused_at_once(cli, tiny_run: Run, tmp_path: Path, out: str) -> None:
    result = cli("neighbors", tiny_run.path, "test:1", "--out", tmp_path / out)
    assert result.status == 2
    assert "--out" in result.err
