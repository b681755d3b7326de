"""Images that a table lists, with their labels and groups."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

import sslreg
from sslreg_datasets._labels import Target, format_cell, mark_labels, number_labels, sort_classes, target_of
from sslreg_datasets._packed_strings import PackedStrings
from sslreg_datasets._table_files import Columns, read_columns

#: A value of a cell in a spec.
Value = str | int | bool

#: How many existing values a message lists.
_LISTED = 10


class Table(sslreg.Dataset):
    """The images that a table lists, one in each row, in the order of the rows.

    The table is a CSV file (.csv, .tsv) with the names of the columns in its first line, a file of JSON lines (.jsonl,
    .ndjson), or a Parquet file (.parquet). Items are ``(path, target)``, with the target None without labels. The name
    of a sample is its path as the table has it.

    The classes are the labels of all rows, also of those that `where` leaves out, so that two parts of a table number
    them equally; with a condition on the labels, they are the labels that fulfill it. They are in alphabetical order,
    or in the order of their values if all are whole numbers.

    Args:
        file: the table.
        path: the column of the images' paths, which are relative to `root`.
        label: the column of the labels; by default there are no labels. Cells that are lists, in JSON and Parquet, hold
            several labels.
        separator: what separates several labels in a cell of text, such as ``;``; an empty cell then has none.
        group: the column of the groups, such as patients or places, that a split must not divide.
        where: the value, or the list of values, that a column must have; rows with others are left out.
        root: the folder of the images; by default that of the table.
        classes: the names of the classes, in the order of their numbers; another label is then an error.
        delimiter: what separates the cells of a CSV file; by default a tab in .tsv files and a comma in others.
        encoding: the encoding of a text file.

    Raises:
        ValueError: the table is missing, cannot be read or has no rows, a column is missing, no row fulfills `where`, a
            cell that is needed is empty, or the first image is missing.
    """

    def __init__(
        self,
        file: str,
        path: str = "path",
        label: str | None = None,
        separator: Annotated[str, Field(min_length=1)] | None = None,
        group: str | None = None,
        where: dict[str, Value | list[Value]] | None = None,
        root: str | None = None,
        classes: list[str] | None = None,
        delimiter: str | None = None,
        encoding: str = "utf-8",
    ) -> None:
        self.file = Path(file).expanduser()
        self.root = self.file.parent if root is None else Path(root).expanduser()
        conditions = where or {}
        named = [name for name in (path, label, group) if name is not None]
        columns = read_columns(self.file, [*named, *conditions], delimiter=delimiter, encoding=encoding)
        rows = _select_rows(self.file, columns, conditions)
        self._numbers = np.array(columns.numbers)[rows]
        self._unit = columns.unit
        self._paths = PackedStrings(self._read_cells(columns, path, rows))
        if label is not None:
            labels = [split_labels(cell, separator) for cell in columns.cells[label]]
            known = rows if label in conditions else range(len(labels))
            self.classes = classes or sort_classes(name for row in known for name in labels[row])
            has_several = separator is not None or any(isinstance(cell, list) for cell in columns.cells[label])
            if not has_several:
                self._require_cells(columns, label, rows)
            own = [labels[row] for row in rows]
            try:
                if has_several:
                    self.targets = mark_labels(own, self.classes)
                else:
                    self.targets = number_labels([one for (one,) in own], self.classes)
            except ValueError as error:
                raise ValueError(f"the table '{self.file}': {error}") from error
        self._groups = None if group is None else PackedStrings(self._read_cells(columns, group, rows))
        self._require_file(0, ValueError)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> tuple[str, Target | None]:
        target = target_of(self.targets, index)
        return self._require_file(index, sslreg.UserError), target

    def name(self, index: int) -> str:
        """Return the image's path as the table has it."""
        return self._paths[index]

    def group(self, index: int) -> str | None:
        """Return the group of the sample; None without a column of groups."""
        return None if self._groups is None else self._groups[index]

    def _read_cells(self, columns: Columns, name: str, rows: Sequence[int]) -> list[str]:
        """Return the texts in some rows of a column. Raises ValueError if one is empty."""
        self._require_cells(columns, name, rows)
        return [format_cell(columns.cells[name][row]) for row in rows]

    def _require_cells(self, columns: Columns, name: str, rows: Sequence[int]) -> None:
        """Raise a ValueError if the cell of a column is empty in one of some rows."""
        cells = columns.cells[name]
        empty = [row for row in rows if cells[row] is None]
        if empty:
            raise ValueError(
                f"the table '{self.file}' has no {name!r} in {len(empty)} of {len(rows)} rows; the first is "
                f"{columns.unit} {columns.numbers[empty[0]]}"
            )

    def _require_file(self, index: int, error: type[Exception]) -> str:
        """Return the path of an image. Raises an error that names its row if there is no such file."""
        path = os.path.join(self.root, self._paths[index])
        if not os.path.exists(path):
            raise error(
                f"the table '{self.file}', {self._unit} {self._numbers[index]}: there is no file '{path}'; root is the "
                "folder that paths in the table are relative to"
            )
        return path


def split_labels(cell: Any, separator: str | None) -> list[str]:
    """Return the labels in a cell: those of a list, the parts of a text, a single one, or none of an empty cell."""
    if cell is None:
        return []
    if isinstance(cell, list):
        return [format_cell(label) for label in cell]
    if separator is None:
        return [format_cell(cell)]
    return [label for part in format_cell(cell).split(separator) if (label := part.strip())]


def _select_rows(file: Path, columns: Columns, conditions: Mapping[str, Value | list[Value]]) -> list[int]:
    """Return the rows that fulfill conditions. Raises ValueError if there are none."""
    rows = list(range(len(columns.numbers)))
    for name, condition in conditions.items():
        wanted = {format_cell(value) for value in (condition if isinstance(condition, list) else [condition])}
        texts: list[Any] = [None if cell is None else format_cell(cell) for cell in columns.cells[name]]
        existing = sorted({texts[row] for row in rows} - {None})
        rows = [row for row in rows if texts[row] in wanted]
        if not rows:
            values = ", ".join(map(repr, existing[:_LISTED])) + (", …" if len(existing) > _LISTED else "")
            raise ValueError(
                f"no row of the table '{file}' has {name} {' or '.join(map(repr, sorted(wanted)))}; it has {values}"
            )
    return rows
