"""Reading of the files that ``sslreg embed`` writes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sslreg.contracts import Embeddings
from sslreg.errors import UserError
from sslreg.export.npz_reader import stream_npz, to_embeddings
from sslreg.export.parquet_writer import require_pyarrow

#: The columns that belong to an image or to each of its patches.
_COLUMNS = ["embedding", "target", "index", "name"]

_HOLDS_PATCHES = "it holds patches, in which 'sslreg neighbors --patch' searches"


def read_embeddings(path: Path) -> Embeddings:
    """Read the embeddings of images that ``sslreg embed`` wrote.

    Raises:
        UserError: There is no such file, or it holds something else.
    """
    with _explain_errors(path, "embeddings", "sslreg embed RUN --out E.npz"):
        return _read_parquet(path) if path.suffix == ".parquet" else _read_npz(path)


def stream_patches(path: Path) -> Iterator[Embeddings]:
    """Yield the patches that ``sslreg embed --patches`` wrote, some images at a time.

    Raises:
        UserError: There is no such file, or it holds something else.
    """
    with _explain_errors(path, "patches", "sslreg embed RUN --patches --out P.npz"):
        yield from _stream_parquet(path) if path.suffix == ".parquet" else stream_npz(path)


@contextmanager
def _explain_errors(path: Path, content: str, command: str) -> Iterator[None]:
    """Turn errors of reading into UserErrors.

    Args:
        path: The file that is read.
        content: The content that it should have.
        command: The command that writes such files.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}", code="missing-file") from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} holds no {content}: {error}", hint=f"write such a file with: {command}", code="broken-file"
        ) from error


def _read_npz(path: Path) -> Embeddings:
    arrays = np.load(path, allow_pickle=False)
    if not isinstance(arrays, np.lib.npyio.NpzFile):
        raise ValueError("it is a single array")
    with arrays:
        if "patches" in arrays:
            raise ValueError(_HOLDS_PATCHES)
        return to_embeddings(arrays, "embeddings")


def _read_parquet(path: Path) -> Embeddings:
    require_pyarrow()
    parquet = import_module("pyarrow.parquet")
    if "row" in parquet.read_schema(path).names:
        raise ValueError(_HOLDS_PATCHES)
    table = parquet.read_table(path, columns=_COLUMNS)
    return _table_to_embeddings(table, _vectors(table))


def _stream_parquet(path: Path) -> Iterator[Embeddings]:
    """Yield the row groups of a table with a row for each patch. A row group holds whole images."""
    require_pyarrow()
    with import_module("pyarrow.parquet").ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=[*_COLUMNS, "row", "column"])
            if not len(table):
                continue
            places = np.stack([table["row"].to_numpy(), table["column"].to_numpy()])
            rows, columns = places.max(axis=1) + 1
            images = len(table) // (rows * columns)
            expected = np.tile(np.indices((rows, columns)).reshape(2, -1), images)
            if not np.array_equal(places, expected):
                raise ValueError("its rows are not in the order of images, rows and columns")
            patches = _vectors(table).reshape(images, rows, columns, -1)
            yield _table_to_embeddings(table.take(np.arange(images) * rows * columns), patches)


def _vectors(table: Any) -> np.ndarray[Any, Any]:
    """Return the column of embeddings as an array (N, D)."""
    return np.array(table["embedding"].combine_chunks().flatten()).reshape(len(table), -1)


def _table_to_embeddings(table: Any, features: np.ndarray[Any, Any]) -> Embeddings:
    targets = table["target"].to_pylist()
    return Embeddings(
        torch.from_numpy(features),
        None if None in targets else _to_targets(targets),
        torch.tensor(table["index"].to_pylist()),
        table["name"].to_pylist(),
    )


def _to_targets(targets: list[Any]) -> torch.Tensor:
    """Return class numbers (N,), or for lists of class numbers which each sample has (N, C), bool."""
    if not any(isinstance(target, list) for target in targets):
        return torch.tensor(targets)
    labels = torch.zeros(len(targets), 1 + max((max(own, default=0) for own in targets), default=0), dtype=torch.bool)
    for row, own in enumerate(targets):
        labels[row, own] = True
    return labels
