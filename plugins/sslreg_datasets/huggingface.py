"""Data sets of Hugging Face, on disk or on the hub."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import sslreg
from sslreg_datasets._labels import Target, format_cell, read_labels, target_of
from sslreg_datasets._packed_strings import PackedStrings

#: Files in a folder that `save_to_disk` of datasets has written.
_SAVED = ("dataset_dict.json", "state.json")


class HuggingFace(sslreg.Dataset):
    """Images in a data set of Hugging Face's library datasets: a local folder, or a name on the hub.

    A local folder has Parquet files, or what ``save_to_disk`` writes; it needs no network. The library maps the data
    into memory, so workers share them. Items are ``(image, target)``: the image is encoded, as it is stored, and the
    target None without labels. The name of a sample is its index.

    Args:
        path: the folder, or the name on the hub.
        split: the split, such as train or test; it can be omitted if there is only one.
        image: the column of the images: encoded bytes, paths, or images of the library.
        label: the column of the labels: class numbers, texts, or lists of class numbers for several labels; by default
            there are no labels. The library may know the names of the classes.
        group: the column of the groups, such as patients, that a split must not divide.
        config: the configuration, for data sets on the hub that have several.

    Raises:
        ValueError: the library is not installed, cannot load the data set, or a split or a column is missing.
    """

    def __init__(
        self,
        path: str,
        split: str | None = None,
        image: str = "image",
        label: str | None = None,
        group: str | None = None,
        config: str | None = None,
    ) -> None:
        rows = _choose_split(path, _load(path, config), split)
        for column in (image, label, group):
            if column is not None and column not in rows.column_names:
                raise ValueError(f"{path!r} has no column {column!r}; it has {', '.join(map(repr, rows.column_names))}")
        if not len(rows):
            raise ValueError(f"{path!r} has no rows")
        self.path = path
        self.image = image
        if label is not None:
            try:
                self.targets, self.classes = _read_targets(rows, label)
            except ValueError as error:
                raise ValueError(f"{path!r}, column {label!r}: {error}") from error
        self._groups = None
        if group is not None:
            self._groups = PackedStrings([format_cell(cell) for cell in _read_column(rows, group)])
        datasets = import_module("datasets")
        images = rows.select_columns([image])
        # The readers of sslreg decode images.
        is_decoded = isinstance(images.features[image], datasets.Image)
        self._images = images.cast_column(image, datasets.Image(decode=False)) if is_decoded else images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[bytes | str, Target | None]:
        target = target_of(self.targets, index)
        cell = self._images[index][self.image]
        content = (cell.get("bytes") or cell.get("path")) if isinstance(cell, dict) else cell
        if not isinstance(content, bytes | str):
            raise sslreg.UserError(
                f"{self.path!r}, row {index}: {self.image} holds a {type(content).__name__}, not an image",
                hint="image names a column of encoded bytes, paths or images",
                code="sample",
            )
        return content, target

    def group(self, index: int) -> str | None:
        """Return the group of the sample; None without a column of groups."""
        return None if self._groups is None else self._groups[index]


def _load(path: str, config: str | None) -> Any:
    """Load all splits of a data set."""
    try:
        datasets = import_module("datasets")
    except ImportError as error:
        raise ValueError("datasets is not installed; it comes with: pip install 'sslreg[huggingface]'") from error
    folder = Path(path).expanduser()
    is_saved = any((folder / name).is_file() for name in _SAVED)
    show_progress = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        if is_saved:
            return datasets.load_from_disk(str(folder))
        return datasets.load_dataset(str(folder) if folder.is_dir() else path, config)
    except Exception as error:  # the library raises errors of many packages
        reason = str(error).partition("\n")[0] or type(error).__name__
        place = "" if folder.is_dir() or os.path.isabs(path) else f"; there is no folder {folder.absolute()} either"
        raise ValueError(f"datasets cannot load {path!r}: {reason}{place}") from error
    finally:
        if show_progress:
            datasets.enable_progress_bars()


def _choose_split(path: str, loaded: Any, split: str | None) -> Any:
    """Return the rows of a split, by default of the only one."""
    if not isinstance(loaded, dict):
        if split is not None:
            raise ValueError(f"{path!r} has no splits; remove split: {split}")
        return loaded
    if split is None and len(loaded) == 1:
        return next(iter(loaded.values()))
    if split not in loaded:
        problem = f"has {len(loaded)} splits; choose one" if split is None else f"has no split {split!r}; it has"
        raise ValueError(f"{path!r} {problem}: {', '.join(loaded)}")
    return loaded[split]


def _read_targets(rows: Any, label: str) -> tuple[np.ndarray, list[str] | None]:
    """Return the targets in a column, and the names of the classes if the library knows them."""
    feature, cells = rows.features[label], _read_column(rows, label)
    feature = getattr(feature, "feature", feature)
    names = getattr(feature, "names", None)
    if not isinstance(cells[0], list):
        return read_labels(np.array(cells), names)
    count = len(names) if names else 1 + max(max(cell, default=0) for cell in cells)
    marked = np.zeros((len(cells), count), dtype=bool)
    for row, cell in enumerate(cells):
        marked[row, cell] = True
    return marked, names


def _read_column(rows: Any, name: str) -> list[Any]:
    """Return a column without reading the others. Raises ValueError if a cell is empty."""
    cells: list[Any] = rows.select_columns([name])[:][name]
    empty = [index for index, cell in enumerate(cells) if cell is None]
    if empty:
        raise ValueError(f"column {name!r} is empty in {len(empty)} rows; the first is row {empty[0]}, counted from 0")
    return cells
