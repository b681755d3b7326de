"""Images whose paths a text file lists."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from PIL import Image

from sslreg import UserError
from sslreg_datasets.list import List


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("b.png", "a b.png", os.fsdecode(b"\xe4.png")):
        Image.new("L", (3, 2)).save(tmp_path / name, "PNG")
    return tmp_path


def test_samples_are_the_lines_of_a_file_in_any_encoding(root: Path) -> None:
    (root / "list.txt").write_bytes(b"\xef\xbb\xbfb.png\r\n\r\na b.png\n\xe4.png")
    data = pickle.loads(pickle.dumps(List(str(root / "list.txt"))))
    names = ["b.png", "a b.png", os.fsdecode(b"\xe4.png")]
    assert [data.name(index) for index in range(len(data))] == names
    assert [data[index] for index in range(3)] == [str(root / name) for name in names]


def test_paths_are_relative_to_the_root(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("lists") / "list.txt"
    file.write_text("b.png\n")
    assert List(str(file), root=str(root))[0] == str(root / "b.png")


def test_what_is_missing_is_named(root: Path) -> None:
    (root / "list.txt").write_text("b.png\nnone.png\n")
    data = List(str(root / "list.txt"))
    with pytest.raises(UserError, match=r"list\.txt' names 'none\.png', but there is no file"):
        data[1]
    (root / "wrong.txt").write_text("none.png\n")
    with pytest.raises(ValueError, match=r"wrong\.txt' names 'none\.png', but there is no file .*; root is"):
        List(str(root / "wrong.txt"))
    (root / "empty.txt").write_text("\n\n")
    with pytest.raises(ValueError, match="has no lines"):
        List(str(root / "empty.txt"))
    with pytest.raises(ValueError, match=r"the list '.*no\.txt' cannot be read: No such file"):
        List(str(root / "no.txt"))
