"""Images in an array on disk: equal, bit for bit, to what the library of its format reads."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sslreg
from sslreg_datasets.array import Array

STACK = np.random.default_rng(0).integers(0, 2**16, (6, 3, 5, 7)).astype(np.uint16)
LABELS = np.array([2, 0, 1, 1, 0, 2])
PLACES = ["sea", "town", "sea", "wood", "sea", "town"]


@pytest.fixture(params=["h5", "zarr", "npy"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The parameters of a data set with the images, labels and groups above, in each format."""
    file = tmp_path / f"stack.{request.param}"
    if request.param == "npy":
        np.save(file, STACK)
        for name, values in (("labels", LABELS), ("places", np.array(PLACES))):
            np.save(tmp_path / f"{name}.npy", values)
        return {"file": str(file), "labels": f"{tmp_path}/labels.npy", "groups": f"{tmp_path}/places.npy"}
    if request.param == "h5":
        with pytest.importorskip("h5py").File(file, "w") as opened:
            opened.create_dataset("scan/images", data=STACK, chunks=(2, 3, 5, 7), compression="gzip")
            opened["labels"], opened["places"] = LABELS, PLACES
    else:
        group = pytest.importorskip("zarr").open_group(file, mode="w")
        group.create_array("scan/images", data=STACK, chunks=(2, 3, 5, 7))
        group.create_array("labels", data=LABELS)
        group.create_array("places", data=np.array([ord(place[0]) for place in PLACES]))
    return {"file": str(file), "images": "scan/images", "labels": "labels", "groups": "places"}


def test_images_labels_and_groups_are_those_of_the_array(stored: dict[str, Any]) -> None:
    data = Array(**stored)
    assert len(data) == len(STACK)
    for copy in (data, pickle.loads(pickle.dumps(data))):
        for index in range(len(STACK)):
            image, target = copy[index]
            assert image.dtype == np.uint16
            assert np.array_equal(image, STACK[index])
            assert target == LABELS[index]
    assert data.classes is None
    assert data.name(4) == "4"
    groups = [data.group(index) for index in range(6)]
    assert [groups.index(group) for group in groups] == [PLACES.index(place) for place in PLACES]


def test_a_process_opens_the_file_itself(stored: dict[str, Any]) -> None:
    data = Array(**stored)
    data[0]
    opened = data._open()
    data._opened_by = -1  # as after a fork
    assert data._open() is not opened
    assert np.array_equal(data[3][0], STACK[3])


def test_labels_may_be_texts(tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", STACK)
    np.save(tmp_path / "labels.npy", np.array(PLACES))
    data = Array(f"{tmp_path}/stack.npy", labels=f"{tmp_path}/labels.npy")
    assert data.classes == ["sea", "town", "wood"]
    assert data.targets is not None
    assert data.targets.tolist() == [0, 1, 0, 2, 0, 1]
    assert Array(f"{tmp_path}/stack.npy", labels=f"{tmp_path}/labels.npy", classes=["town", "wood", "sea"])[0][1] == 2


@pytest.mark.parametrize(
    ("shape", "channels", "loaded"),
    [
        ((2, 5, 6), None, (1, 5, 6)),
        ((2, 3, 5, 6), None, (3, 5, 6)),
        ((2, 5, 6, 3), None, (3, 5, 6)),
        ((2, 13, 5, 6), "first", (13, 5, 6)),
        ((2, 5, 6, 13), "last", (13, 5, 6)),
        ((2, 3, 6, 4), "last", (4, 3, 6)),
    ],
)
def test_the_shape_tells_where_channels_are(
    tmp_path: Path, shape: tuple[int, ...], channels: Any, loaded: tuple[int, ...]
) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.save(tmp_path / "stack.npy", values)
    image = sslreg.load_image(Array(f"{tmp_path}/stack.npy", channels=channels)[1][0])
    assert image.shape == loaded
    expected = values[1] if image.ndim == values.ndim - 1 and loaded == values[1].shape else None
    last = values[1].transpose(2, 0, 1) if values.ndim == 4 else values[1][None]
    assert np.array_equal(image.numpy(), last if expected is None else expected)


@pytest.mark.parametrize(
    ("stack", "changes", "message"),
    [
        (np.zeros((2, 3), np.uint8), {}, r"has the shape \(2, 3\); images are"),
        (np.zeros((0, 4, 4), np.uint8), {}, r"has the shape \(0, 4, 4\)"),
        (np.zeros((2, 3, 6, 4), np.uint8), {}, "does not tell where its channels are; write channels: first"),
        (np.zeros((2, 13, 6, 13), np.uint8), {}, "does not tell where its channels are"),
        (np.zeros((2, 6, 4), np.uint8), {"channels": "last"}, "which has no channels"),
        (np.zeros((2, 6, 4), np.int32), {}, "the array is int32; images are uint8, uint16"),
        (np.zeros((2, 6, 4), np.uint8), {"images": "x"}, "is a single array, so it has no array 'x'"),
        (np.zeros((2, 6, 4), np.uint8), {"labels": "other.npy"}, "there is no file 'other.npy'"),
        (np.zeros((3, 6, 4), np.uint8), {"labels": "numbers.npy"}, r"has the shape \(2,\), and there are 3 images"),
        (np.zeros((2, 6, 4), np.uint8), {"labels": "halves.npy"}, "the labels are float64"),
        (np.zeros((2, 6, 4), np.uint8), {"labels": "numbers.npy"}, "a label is -1; classes are numbers from 0"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, stack: np.ndarray, changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("stack.npy", stack)
    np.save("numbers.npy", np.array([-1, 0]))
    np.save("halves.npy", np.array([0.5, 0]))
    with pytest.raises(ValueError, match=message):
        Array("stack.npy", **changes)


def test_a_key_that_is_missing_or_needed_is_named(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        opened["x"], opened["deep/y"] = STACK, STACK
    for images, message in ((None, "has 2 arrays; name that of the images"), ("z", "has no array 'z'; it has")):
        with pytest.raises(ValueError, match=f"{message}.*'deep/y', 'x'"):
            Array(f"{tmp_path}/a.h5", images=images)
    (tmp_path / "b.h5").write_text("no HDF5")
    (tmp_path / "b.npy").write_text("no array")
    for name in ("b.h5", "b.npy"):
        with pytest.raises(ValueError, match=rf"{name}' cannot be read"):
            Array(f"{tmp_path}/{name}")
    with pytest.raises(ValueError, match=r"should end in \.h5, \.hdf5, \.zarr, \.npy"):
        Array(f"{tmp_path}/b.mat")


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="cannot be read"):
        Array(f"{tmp_path}/a.npy")


def test_labels_may_be_several(tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", STACK)
    labels = np.random.default_rng(0).integers(0, 2, (6, 4))
    np.save(tmp_path / "labels.npy", labels)
    data = Array(f"{tmp_path}/stack.npy", labels=f"{tmp_path}/labels.npy", classes=["a", "b", "c", "d"])
    assert [np.asarray(data[index][1]).tolist() for index in range(6)] == labels.astype(bool).tolist()
    np.save(tmp_path / "labels.npy", labels + 1)
    with pytest.raises(ValueError, match=r"labels \(N, C\) should be 0 or 1"):
        Array(f"{tmp_path}/stack.npy", labels=f"{tmp_path}/labels.npy")
