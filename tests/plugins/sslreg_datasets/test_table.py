"""Images that a table lists."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sslreg import UserError, load_image
from sslreg.contracts import as_sample
from sslreg_datasets.table import Table

ROWS = [
    {"path": "b.png", "kind": "dog", "patient": 7, "split": "train"},
    {"path": "a/ä b.png", "kind": "cat", "patient": 7, "split": "train"},
    {"path": "c.png", "kind": "cow", "patient": 8, "split": "test"},
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The images of `ROWS`, whose levels are their positions."""
    for number, row in enumerate(ROWS):
        (tmp_path / row["path"]).parent.mkdir(exist_ok=True)
        Image.new("L", (3, 2), number).save(tmp_path / row["path"])
    return tmp_path


def write(root: Path, extension: str, rows: list[dict[str, Any]] = ROWS, encoding: str = "utf-8") -> str:
    file = root / f"table.{extension}"
    if extension == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), file)
    elif extension in ("jsonl", "ndjson"):
        file.write_text("\n\n".join(json.dumps(row) for row in rows))
    else:
        mark = "\t" if extension == "tsv" else ","
        lines = [mark.join(rows[0]), *(mark.join(str(value) for value in row.values()) for row in rows)]
        file.write_text("\r\n".join([*lines, ""]), encoding=encoding)
    return str(file)


@pytest.mark.parametrize("extension", ["csv", "tsv", "jsonl", "ndjson", "parquet"])
def test_every_format_gives_the_same_samples(root: Path, extension: str) -> None:
    table = Table(write(root, extension), label="kind", group="patient")
    table = pickle.loads(pickle.dumps(table))
    assert table.classes == ["cat", "cow", "dog"]
    assert [table.name(index) for index in range(3)] == [row["path"] for row in ROWS]
    assert [table[index] for index in range(3)] == [
        (str(root / row["path"]), target) for row, target in zip(ROWS, [2, 0, 1], strict=True)
    ]
    assert table.targets is not None
    assert table.targets.tolist() == [2, 0, 1]
    assert [table.group(index) for index in range(3)] == ["7", "7", "8"]
    assert int(load_image(table[2][0])[0, 0, 0]) == 2


def test_without_a_label_column_targets_are_none(root: Path) -> None:
    table = Table(write(root, "csv"))
    assert (table.classes, table.targets, table[0][1], table.group(0)) == (None, None, None, None)


def test_conditions_select_rows_and_parts_number_classes_equally(root: Path) -> None:
    file = write(root, "csv")
    train, test = (Table(file, label="kind", where={"split": split}) for split in ("train", "test"))
    assert [train.name(index) for index in range(len(train))] == ["b.png", "a/ä b.png"]
    assert (train.classes, test.classes, test[0][1]) == (["cat", "cow", "dog"], ["cat", "cow", "dog"], 1)
    both = Table(file, label="kind", where={"kind": ["cat", "dog"], "patient": 7})
    assert (len(both), both.classes) == (2, ["cat", "dog"])


def test_whole_numbers_are_sorted_by_value(root: Path) -> None:
    rows = [row | {"kind": kind} for row, kind in zip(ROWS, (10, 9, 10), strict=True)]
    assert Table(write(root, "csv", rows), label="kind").classes == ["9", "10"]
    assert Table(write(root, "jsonl", rows), label="kind", classes=["10", "9"])[0][1] == 0


def test_paths_are_relative_to_the_root_and_may_be_absolute(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("tables")
    table = Table(write(elsewhere, "csv"), root=str(root))
    assert table[0][0] == str(root / "b.png")
    table = Table(write(elsewhere, "csv", [{"path": root / "c.png"}]))
    assert table[0][0] == str(root / "c.png")


def test_text_may_have_another_encoding_or_a_byte_order_mark(root: Path) -> None:
    assert Table(write(root, "csv", encoding="utf-8-sig")).name(1) == "a/ä b.png"
    file = write(root, "csv", encoding="latin-1")
    assert Table(file, encoding="latin-1").name(1) == "a/ä b.png"
    with pytest.raises(ValueError, match=r"table\.csv' is not utf-8: the byte 0xe4 .* set encoding"):
        Table(file)
    with pytest.raises(ValueError, match="unknown encoding: latin-17; encodings are named like"):
        Table(file, encoding="latin-17")


def test_a_missing_image_is_named_with_its_row(root: Path) -> None:
    file = write(root, "csv")
    table = Table(file)
    os.remove(root / "c.png")
    with pytest.raises(UserError, match=r"table\.csv', line 4: there is no file '.*c\.png'"):
        table[2]
    os.remove(root / "b.png")
    with pytest.raises(ValueError, match=r"table\.csv', line 2: there is no file '.*b\.png'; root is"):
        Table(file)


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        ("", {}, "has no column 'path'; it has "),
        ("path\n", {}, "has no rows"),
        ("image,kind\nb.png,x\n", {}, "has no column 'path'; it has 'image', 'kind'"),
        ("path\nb.png\n", {"label": "kind", "group": "who"}, "has no column 'kind' and no column 'who'; it has 'path'"),
        ("path;kind\nb.png;x\n", {}, "it has 'path;kind'; if ';' separates its cells, set delimiter: ';'"),
        ("path,path\n", {}, "has two columns 'path'"),
        ("path,kind\nb.png,x\n\nc.png\n", {}, "line 4, has 1 cells, and the header has 2"),
        ("path,kind\nb.png,x\nc.png,\n", {"label": "kind"}, "has no 'kind' in 1 of 2 rows; the first is line 3"),
        ("path,kind\n,x\n", {}, "has no 'path' in 1 of 1 rows; the first is line 2"),
        ('path\n"b.png\n', {}, "cannot be read: unexpected end of data"),
        ("path\nb.png\n", {"delimiter": "::"}, "cannot be read: "),
        ("path,kind\nb.png,x\n", {"where": {"kind": ["y", "z"]}}, "has kind 'y' or 'z'; it has 'x'"),
        ("path,kind\nb.png,x\n", {"label": "kind", "classes": ["y"]}, "the label 'x' is not among the classes 'y'"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(root: Path, content: str, changes: dict[str, Any], message: str) -> None:
    file = root / "wrong.csv"
    file.write_text(content)
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        Table(str(file), **changes)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"path": "b.png"}\n{"path"', "line 2, is not JSON"),
        ("a.jsonl", "[1]", "line 1, is not a JSON object"),
        ("a.jsonl", "[" * 100_000, "line 1, is not JSON"),
        ("a.jsonl", '{"file": "b.png"}', "has no column 'path'; it has 'file'"),
        ("a.parquet", "no Parquet", "cannot be read: "),
        ("a.xlsx", "", "should end in .csv, .tsv, .jsonl, .ndjson, .parquet"),
    ],
)
def test_what_is_wrong_with_other_files_is_named(root: Path, name: str, content: str, message: str) -> None:
    (root / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        Table(str(root / name))


def test_a_missing_table_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    with pytest.raises(ValueError, match=r"there is no table 'none\.csv' \(that is, /.*none\.csv\)"):
        Table("none.csv")


@pytest.mark.parametrize(
    ("extension", "cells", "changes"),
    [
        ("csv", ["dog; cat", "", "cow"], {"separator": ";"}),
        ("jsonl", [["dog", "cat"], [], ["cow"]], {}),
        ("parquet", [["dog", "cat"], [], ["cow"]], {}),
    ],
)
def test_a_cell_may_have_several_labels(root: Path, extension: str, cells: list[Any], changes: dict[str, str]) -> None:
    rows = [row | {"tags": cell} for row, cell in zip(ROWS, cells, strict=True)]
    table = Table(write(root, extension, rows), label="tags", **changes)
    assert table.classes == ["cat", "cow", "dog"]
    assert table.targets is not None
    assert table.targets.tolist() == [[True, False, True], [False, False, False], [False, True, False]]
    assert as_sample(table[0]).target.tolist() == [True, False, True]  # type: ignore[union-attr]
