"""sslreg embed, beyond what test_run_commands shows."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from sslreg import Run


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_the_file_and_its_shape_are_printed(cli, tiny_run: Run, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("pyarrow")
    out = tmp_path / f"e{suffix}"
    result = cli("embed", tiny_run.path, "--out", out)
    assert result.out == f"{out}: 449 embeddings of width 32\n"
    assert out.is_file()


def test_the_grid_of_patches_is_printed(cli, patch_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "p.npz"
    result = cli("embed", patch_run.path, "--patches", "--out", out)
    assert result.out == f"{out}: the patches of 449 images, 4x4 each, of width 16\n"
    with np.load(out) as archive:
        assert archive["patches"].shape == (449, 4, 4, 16)


def test_patches_of_a_backbone_without_them_are_refused(cli, tiny_run: Run, tmp_path: Path) -> None:
    result = cli("embed", tiny_run.path, "--patches", "--out", tmp_path / "p.npz")
    assert result.status == 2
    assert "ConvNet, the backbone of this run, has no patches" in result.err


def test_a_folder_of_other_images_is_embedded(cli, tiny_run: Run, photos: Path, tmp_path: Path) -> None:
    assert cli("embed", tiny_run.path, "--data", photos, "--out", tmp_path / "e.npz").status == 0
    with np.load(tmp_path / "e.npz") as archive:
        assert "rgb.jpg" in archive["names"].tolist()


def test_parquet_without_pyarrow_names_the_extra(
    cli, tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = cli("embed", tiny_run.path, "--out", tmp_path / "e.parquet")
    assert result.status == 2
    assert "pip install 'sslreg[parquet]'" in result.err


def test_an_unknown_suffix_lists_the_known_ones(cli, tiny_run: Run, tmp_path: Path) -> None:
    result = cli("embed", tiny_run.path, "--out", tmp_path / "e.csv")
    assert result.status == 2
    assert ".npz or .parquet" in result.err


def test_missing_other_images_are_reported(cli, tiny_run: Run, tmp_path: Path) -> None:
    result = cli("embed", tiny_run.path, "--data", tmp_path / "nope", "--out", tmp_path / "e.npz")
    assert result.status == 2
    assert "there is no folder and no spec" in result.err


def test_a_missing_split_lists_the_existing_ones(cli, tiny_run: Run, tiny_spec: str, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(tiny_spec.replace("  test: {use: digits, split: test}\n", "").partition("evaluate:")[0])
    result = cli("embed", tiny_run.path, "--data", other, "--split", "test", "--out", tmp_path / "e.npz")
    assert result.status == 2
    assert "it has --split train" in result.err


def test_without_a_reference_set_the_training_set_is_embedded(cli, tiny_run: Run, tmp_path: Path) -> None:
    assert cli("embed", tiny_run.path, "--split", "reference", "--out", tmp_path / "e.npz").status == 0
    with np.load(tmp_path / "e.npz") as archive:
        assert len(archive["embeddings"]) == tiny_run.facts["num_samples"]
