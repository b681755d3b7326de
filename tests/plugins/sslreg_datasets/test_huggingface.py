"""Data sets of Hugging Face's library on disk."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import pytest
from PIL import Image

from sslreg import load_image

datasets = pytest.importorskip("datasets")

from sslreg_datasets.huggingface import HuggingFace  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the library


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library keeps its cache in a temporary folder and uses no network."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def encode(level: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (4, 3), level).save(file, "PNG")
    return file.getvalue()


def rows(count: int = 4) -> datasets.Dataset:
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["zebra", "ant"]),
            "kind": datasets.Value("string"),
            "patient": datasets.Value("int64"),
        }
    )
    columns = {
        "image": [{"bytes": encode(number), "path": None} for number in range(count)],
        "label": [number % 2 for number in range(count)],
        "kind": ["b" if number else "a" for number in range(count)],
        "patient": [number // 2 for number in range(count)],
    }
    return datasets.Dataset.from_dict(columns, features=features)


def test_a_folder_of_parquet_files_gives_the_stored_bytes_and_named_classes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rows().to_parquet(tmp_path / "data" / "train-00000-of-00001.parquet")
    rows(2).to_parquet(tmp_path / "data" / "test-00000-of-00001.parquet")
    data = pickle.loads(pickle.dumps(HuggingFace(str(tmp_path / "data"), "train", label="label", group="patient")))
    assert data.classes == ["zebra", "ant"]
    assert [data[index] for index in range(len(data))] == [(encode(number), number % 2) for number in range(4)]
    assert [data.group(index) for index in range(4)] == ["0", "0", "1", "1"]
    assert int(load_image(data[3][0])[0, 0, 0]) == 3
    assert len(HuggingFace(str(tmp_path / "data"), "test")) == 2
    with pytest.raises(ValueError, match="has 2 splits; choose one: train, test"):
        HuggingFace(str(tmp_path / "data"))


def test_a_saved_data_set_is_read(tmp_path: Path) -> None:
    rows().save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": rows(), "test": rows(2)}).save_to_disk(tmp_path / "two")
    data = HuggingFace(str(tmp_path / "one"), label="kind")
    assert (data.classes, data[0], data.name(3)) == (["a", "b"], (encode(0), 0), "3")
    assert len(HuggingFace(str(tmp_path / "two"), "test")) == 2
    with pytest.raises(ValueError, match="has no splits; remove split: test"):
        HuggingFace(str(tmp_path / "one"), "test")
    with pytest.raises(ValueError, match="has no split 'val'; it has: train, test"):
        HuggingFace(str(tmp_path / "two"), "val")
    with pytest.raises(ValueError, match="has no column 'img'; it has 'image', 'label', 'kind', 'patient'"):
        HuggingFace(str(tmp_path / "one"), image="img")


def test_bytes_and_paths_are_images_too(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(7))
    columns = {"image": [encode(7)], "file": [str(tmp_path / "a.png")], "number": [3]}
    datasets.Dataset.from_dict(columns).save_to_disk(tmp_path / "saved")
    for column in ("image", "file"):
        assert int(load_image(HuggingFace(str(tmp_path / "saved"), image=column)[0][0])[0, 0, 0]) == 7


def test_what_cannot_be_loaded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=r"datasets cannot load 'none/such': .*; there is no folder .*none/such either"
    ):
        HuggingFace("none/such")


def test_a_column_may_have_several_labels(tmp_path: Path) -> None:
    features = datasets.Features(
        {"image": datasets.Value("binary"), "tags": datasets.List(datasets.ClassLabel(names=["a", "b", "c"]))}
    )
    columns = {"image": [encode(1)] * 3, "tags": [[2, 0], [], [1]]}
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(tmp_path / "saved")
    data = HuggingFace(str(tmp_path / "saved"), label="tags")
    assert data.classes == ["a", "b", "c"]
    assert data.targets is not None
    assert data.targets.tolist() == [[True, False, True], [False, False, False], [False, True, False]]
