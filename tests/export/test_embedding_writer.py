"""Embeddings in a file: what it holds, and that a cut changes nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg
from sslreg import Model, Run, SslregError, UserError
from sslreg.export import embedding_writer
from sslreg.export.data_selection import SelectedData, select_data, select_evaluation_data
from sslreg.export.embedding_writer import BATCH, EmbeddingFile, write_embeddings
from sslreg.runs import embed_split
from sslreg.spec import parse_spec

CPU = torch.device("cpu")


def written(run: Run, out: Path, data: SelectedData | None = None, batches: int = 1) -> EmbeddingFile:
    pytest.importorskip("pyarrow")
    return write_embeddings(run, data or select_data(run, "train"), out, device=CPU, batches=batches)


def test_an_archive_has_what_embedding_gives(tiny_run: Run, tmp_path: Path) -> None:
    assert written(tiny_run, tmp_path / "e.npz") == EmbeddingFile(rows=1348, width=32, skipped=[], resumed=0)
    expected = embed_split(tiny_run, "train")
    with np.load(tmp_path / "e.npz", allow_pickle=False) as archive:
        assert set(archive.files) == {"embeddings", "targets", "indices", "names"}
        np.testing.assert_array_equal(archive["embeddings"], expected.features.numpy())
        np.testing.assert_array_equal(archive["targets"], expected.targets.numpy())
        np.testing.assert_array_equal(archive["indices"], np.arange(1348))
        assert archive["names"].tolist() == expected.names
    assert [path.name for path in tmp_path.iterdir()] == ["e.npz"]


def test_parquet_has_a_row_for_each_image_and_a_group_for_each_part(tiny_run: Run, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    written(tiny_run, tmp_path / "e.parquet", batches=2)
    file = parquet.ParquetFile(tmp_path / "e.parquet")
    assert file.num_row_groups == 3
    assert file.schema_arrow.field("embedding").type == arrow.list_(arrow.float32(), 32)
    table, expected = file.read(), embed_split(tiny_run, "train")
    np.testing.assert_array_equal(np.stack(table["embedding"].to_numpy()), expected.features.numpy())
    assert table["target"].to_pylist() == expected.targets.tolist()
    assert table["index"].to_pylist() == list(range(1348))
    assert table["name"].to_pylist() == expected.names
    assert table["class"].to_pylist() == [str(target) for target in expected.targets.tolist()]


def test_a_go_that_was_killed_is_finished_by_the_next(tiny_run: Run, tmp_path: Path) -> None:
    program = f"""
import os, signal, sys, torch, sslreg
from pathlib import Path
from sslreg.export.data_selection import select_data
from sslreg.export.embedding_writer import write_embeddings
torch.set_num_threads(1)
run = sslreg.load_run({str(tiny_run.path)!r})
def progress(done):
    if done >= {3 * BATCH}:
        os.kill(os.getpid(), signal.SIGKILL)
out = Path({str(tmp_path / "cut.npz")!r})
write_embeddings(run, select_data(run, "train"), out, device=torch.device("cpu"), on_progress=progress, batches=1)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".cut.npz.parts"]
    (tmp_path / ".cut.npz.parts" / ".000003.npz.draft").write_bytes(b"a part that was being written")
    shutil.copytree(tmp_path / ".cut.npz.parts", tmp_path / ".cut.parquet.parts")
    for suffix in (".npz", ".parquet"):
        whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
        assert written(tiny_run, whole).resumed == 0
        assert written(tiny_run, cut).resumed == 3 * BATCH
        assert cut.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_patches_are_written_with_their_grid(patch_run: Run, tmp_path: Path) -> None:
    parquet, data = pytest.importorskip("pyarrow.parquet"), select_data(patch_run, "test")
    expected = patch_run.patches([data.samples[row].image for row in range(len(data.samples))], batch_size=BATCH)
    for suffix in (".npz", ".parquet"):
        file = write_embeddings(patch_run, data, tmp_path / f"p{suffix}", device=CPU, patches=True)
        assert file == EmbeddingFile(rows=449, width=16, skipped=[], resumed=0, grid=(4, 4))
    with np.load(tmp_path / "p.npz", allow_pickle=False) as archive:
        assert set(archive.files) == {"patches", "targets", "indices", "names"}
        np.testing.assert_array_equal(archive["patches"], expected.numpy())
    assert parquet.ParquetFile(tmp_path / "p.parquet").num_row_groups == 2  # one for each batch
    table = parquet.read_table(tmp_path / "p.parquet")
    np.testing.assert_array_equal(np.stack(table["embedding"].to_numpy()), expected.flatten(0, 2).numpy())
    number = 4 * 4 * 7 + 4 * 2 + 3
    row = table.slice(number, 1).to_pylist()[0]
    assert (row["index"], row["name"], row["row"], row["column"]) == (7, "7", 2, 3)
    assert row["class"] == str(row["target"]) == str(data.samples[7].target)


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_an_interrupted_file_of_patches_is_resumed(patch_run: Run, tmp_path: Path, suffix: str) -> None:
    def stop(done: int) -> None:
        if done == BATCH:
            raise KeyboardInterrupt

    data, cut, whole = select_data(patch_run, "test"), tmp_path / f"cut{suffix}", tmp_path / f"whole{suffix}"
    with pytest.raises(KeyboardInterrupt):
        write_embeddings(patch_run, data, cut, device=CPU, patches=True, on_progress=stop)
    assert not cut.exists()
    assert write_embeddings(patch_run, data, cut, device=CPU, patches=True).resumed == BATCH
    write_embeddings(patch_run, data, whole, device=CPU, patches=True)
    assert cut.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_parts_of_embeddings_are_no_parts_of_patches(patch_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "e.npz"
    stopped_after_two_parts(patch_run, out)
    file = write_embeddings(patch_run, select_data(patch_run, "train"), out, device=CPU, patches=True)
    assert (file.resumed, file.grid) == (0, (4, 4))


def test_images_with_different_numbers_of_patches_are_refused(
    patch_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_writer, "BATCH", 1)
    shutil.copytree(patch_run.path, tmp_path / "run")
    spec = tmp_path / "run" / "spec.resolved.yaml"
    spec.write_text(f"{spec.read_text()}embed_view: [{{use: normalize, mean: [0.5], std: [0.5]}}]\n")
    (tmp_path / "images").mkdir()
    for side in (8, 16):
        Image.new("L", (side, side)).save(tmp_path / "images" / f"{side}.png")
    run = sslreg.load_run(tmp_path / "run")
    with pytest.raises(SslregError, match="different numbers of patches: 4x4 and 8x8"):
        write_embeddings(
            run, select_data(run, "test", str(tmp_path / "images")), tmp_path / "p.npz", device=CPU, patches=True
        )


def test_patches_of_a_backbone_without_them_are_refused(tiny_run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no patches"):
        write_embeddings(tiny_run, select_data(tiny_run, "test"), tmp_path / "p.npz", device=CPU, patches=True)
    assert not list(tmp_path.iterdir())


def stopped_after_two_parts(run: Run, out: Path) -> None:
    def stop(done: int) -> None:
        if done >= 2 * BATCH:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_embeddings(run, select_data(run, "train"), out, device=CPU, batches=1, on_progress=stop)
    assert len(list((out.parent / f".{out.name}.parts").glob("0*.npz"))) == 2


def test_parts_of_another_split_are_not_mixed_in(tiny_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "e.npz"
    stopped_after_two_parts(tiny_run, out)
    assert written(tiny_run, out, select_data(tiny_run, "test")).resumed == 0
    with np.load(out) as archive:
        np.testing.assert_array_equal(archive["embeddings"], embed_split(tiny_run, "test").features.numpy())


def test_parts_of_another_checkpoint_are_not_mixed_in(tiny_run: Run, tmp_path: Path) -> None:
    class TrainedOn(Run):
        def model(self) -> Model:
            return tiny_run.model()

    shutil.copytree(tiny_run.path, tmp_path / "run")
    run = TrainedOn(tmp_path / "run")
    stopped_after_two_parts(run, tmp_path / "e.npz")
    run.folder.last_checkpoint.write_bytes(b"of more epochs")
    assert written(run, tmp_path / "e.npz").resumed == 0


def test_without_labels_targets_are_absent_or_null(tiny_run: Run, photos: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    data = select_data(tiny_run, "test", str(photos))
    written(tiny_run, tmp_path / "e.npz", data)
    with np.load(tmp_path / "e.npz") as archive:
        assert set(archive.files) == {"embeddings", "indices", "names"}
        assert "trip/turned.jpeg" in archive["names"].tolist()
    written(tiny_run, tmp_path / "e.parquet", data)
    table = parquet.read_table(tmp_path / "e.parquet")
    assert set(table["target"].to_pylist()) == set(table["class"].to_pylist()) == {None}
    assert table.num_rows == len(data.samples)


def test_images_that_cannot_be_read_are_left_out_and_counted(tiny_spec: str, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(70):
        Image.new("L", (12, 12), number).save(folder / f"{number:02}.png")
    (folder / "33.png").write_bytes(b"torn")
    text = tiny_spec.replace("channels: 1", "channels: 1\n  on_error: skip").replace("max_epochs: 2", "max_steps: 1")
    spec = parse_spec(text[: text.index("evaluate:")], "skip.yaml", ["data.test=null"])
    run = sslreg.train(spec, tmp_path / "run")
    found = written(run, tmp_path / "e.npz", select_data(run, "train", str(folder)))
    assert (found.rows, found.skipped) == (69, ["33.png"])
    with np.load(tmp_path / "e.npz") as archive:
        assert archive["names"].tolist() == [f"{number:02}.png" for number in range(70) if number != 33]
        assert archive["indices"].tolist() == [number for number in range(70) if number != 33]


def test_a_part_without_an_image_that_can_be_read_has_no_rows(
    tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_writer, "BATCH", 32)
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(70):
        (folder / f"{number:02}.png").write_bytes(b"torn")
        if 32 <= number < 64:
            Image.new("L", (12, 12), number).save(folder / f"{number:02}.png")
    spec = parse_spec(tiny_spec, "skip.yaml", ["data.on_error=skip", "trainer.max_steps=1", "evaluate=[]"])
    run = sslreg.train(spec, tmp_path / "run")
    for name in ("e.npz", "e.parquet"):
        found = written(run, tmp_path / name, select_data(run, "train", str(folder)))
        assert (found.rows, found.width, len(found.skipped)) == (32, 32, 38)
    with np.load(tmp_path / "e.npz") as archive:
        assert archive["indices"].tolist() == list(range(32, 64))
    table = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "e.parquet")
    assert table["index"].to_pylist() == list(range(32, 64))


def test_names_that_are_no_text_are_written(tiny_run: Run, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "images"
    folder.mkdir()
    try:
        Image.new("L", (12, 12)).save(bytes(folder) + b"/caf\xe9.png")
    except OSError:
        pytest.skip("this file system takes text alone")
    written(tiny_run, tmp_path / "e.parquet", select_data(tiny_run, "test", str(folder)))
    assert parquet.read_table(tmp_path / "e.parquet")["name"].to_pylist() == ["caf\\xe9.png"]


def test_a_folder_that_cannot_be_written_is_said(tiny_run: Run, tmp_path: Path) -> None:
    (tmp_path / ".e.npz.parts").write_text("a file where the parts would be")
    with pytest.raises(SslregError, match="cannot be created"):
        written(tiny_run, tmp_path / "e.npz")


def test_data_is_a_split_a_folder_or_another_spec(tiny_run: Run, tiny_spec: str, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(tiny_spec.replace("test: {use: digits, split: test}", "test: {use: digits}"))
    assert select_data(tiny_run, "test").component == {"use": "digits", "split": "test"}
    assert select_data(tiny_run, "test", str(tmp_path / "other.yaml")).component == {"use": "digits"}
    assert select_data(tiny_run, "reference", str(photos)).component == {"use": "image_folder", "root": str(photos)}
    assert select_evaluation_data(tiny_run).split == "test"
    # Without a reference set the training set is the reference, as in evaluations.
    assert select_data(tiny_run, "reference").component == {"use": "digits", "split": "train"}
    assert select_data(tiny_run, "reference", str(tmp_path / "other.yaml")).component == {
        "use": "digits",
        "split": "train",
    }
    with pytest.raises(UserError, match="no spec"):
        select_data(tiny_run, "test", str(tmp_path / "nowhere"))
